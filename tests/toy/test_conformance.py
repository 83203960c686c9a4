"""The law of the consumer on the toy projection: however records are delivered, the result is what one by one gives.

The deliveries run through `consumer.run`, with a real MySQL and Kafka. The expected result comes from the projection's
own `parse` and `apply`, one record and one transaction at a time, without the consumer.
"""

import json
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from operator import attrgetter
from typing import Any, NamedTuple

import pymysql
import pytest
from kafka import KafkaProducer

from common.events import consumer
from common.events.dead_letters import UnreadableRecord
from common.mysql import Cursor, Database, DatabaseUnavailable
from common.worker_status import WorkerStatus
from tests.eventually import eventually
from tests.stand_ins import record
from tests.toy import stock
from tests.toy.tables import emptied, execute, rows
from tests.toy.without_inbox import APPLY_WITHOUT_INBOX

SEED = 20261129
EVENTS = 60
TOO_MANY = 5_000_000_000  # more than the column `sold` holds: MySQL refuses the value


pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]  # seconds, on a busy machine

Apply = Callable[[Cursor, Sequence[stock.Sale]], int]


class Result(NamedTuple):
    sums: dict[str, int]
    parked: list[tuple[int, bytes]]  # offset and value


class Flaky(Database):
    """A database that is unavailable at every third transaction: in turn before it begins and after it committed."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.failures = 0
        self._transactions = 0

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        self._transactions += 1
        fails, after = self._transactions % 3 == 0, self.failures % 2 == 1
        self.failures += fails
        if fails and not after:
            raise DatabaseUnavailable("unavailable before the transaction")
        with super().transaction() as cursor:
            yield cursor
        if fails:
            raise DatabaseUnavailable("the answer to COMMIT was lost")


class Delivery:
    """The records of a topic, and the consumer that a test runs, stops and disturbs."""

    def __init__(
        self, kafka: dict[str, Any], producer: KafkaProducer, topic: str, url: str, apply: Apply, records: Sequence[Any]
    ) -> None:
        self.database, self.database_url = Database(url), url
        self.apply, self.records = apply, records
        self.rng = random.Random(SEED)
        self._kafka, self._producer, self._topic, self._sent = kafka, producer, topic, 0

    def send(self, number: int) -> None:
        """Publish the next records, at most this many."""
        for each in self.records[self._sent : self._sent + number]:
            self._producer.send(self._topic, value=each.value, headers=each.headers, partition=0)
        self._producer.flush()
        self._sent = min(len(self.records), self._sent + number)

    def wait(self) -> None:
        """Until the stored offset is after the last record that was sent."""
        eventually(lambda: self.stored_offset() == self._sent, seconds=60)

    def stored_offset(self) -> int | None:
        found = rows(self.database, "SELECT next_offset FROM consumer_offsets")
        return int(found[0][0]) if found else None

    @contextmanager
    def consumer(self, database: Database | None = None, group: str = "group") -> Iterator[None]:
        """`consumer.run` in a thread; the block begins when it has the partition."""
        stop, status, errors = threading.Event(), WorkerStatus(), list[Exception]()
        projection = consumer.Projection([self._topic], stock.parse, self.apply)
        member = consumer.Group(f"{self._topic}-{group}", "stock-1")

        def run() -> None:
            try:
                consumer.run(stop, database or self.database, self._kafka, projection, member, status)
            except Exception as error:
                errors.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            eventually(lambda: errors or status.read().get("consumer") == "consuming", seconds=60)
            yield
        finally:
            stop.set()
            thread.join(timeout=60)
        assert errors == []
        assert not thread.is_alive()


class World(NamedTuple):
    """What a delivery needs of the servers."""

    kafka: dict[str, Any]
    producer: KafkaProducer
    topic: str
    url: str
    database: Database

    def check(self, deliver: Callable[[Delivery], None], apply: Apply) -> None:
        """Compare the result of a delivery with that of the same records one by one."""
        records = random_records(random.Random(f"{SEED} {deliver.__name__}"))
        expected = one_by_one(self.database, records, apply)
        emptied(self.database)

        deliver(Delivery(self.kafka, self.producer, self.topic, self.url, apply, records))

        assert result(self.database) == expected, "not what one by one gives"


@pytest.fixture
def world(
    kafka: dict[str, Any], producer: KafkaProducer, topic: str, stock_url: str, stock_database: Database
) -> World:
    return World(kafka, producer, topic, stock_url, stock_database)


# ---- the deliveries


def in_one_batch(delivery: Delivery) -> None:
    delivery.send(EVENTS)
    with delivery.consumer():
        delivery.wait()


def in_random_batches(delivery: Delivery) -> None:
    with delivery.consumer():
        while delivery.stored_offset() != len(delivery.records):
            delivery.send(delivery.rng.randint(1, 15))
            delivery.wait()


def with_a_restart_after_each_batch(delivery: Delivery) -> None:
    for _ in range(3):
        delivery.send(EVENTS // 3)
        with delivery.consumer():
            delivery.wait()


def with_outages(delivery: Delivery) -> None:
    database = Flaky(delivery.database_url)
    with delivery.consumer(database):
        for _ in range(6):
            delivery.send(EVENTS // 6)
            delivery.wait()
    assert database.failures >= 2


def with_a_backup_restored_under_it(delivery: Delivery) -> None:
    """Sums, inbox and offsets are those of a backup from before the first record."""
    with delivery.consumer():
        delivery.send(EVENTS // 2)
        delivery.wait()
        with delivery.database.transaction() as cursor:
            cursor.execute("DELETE FROM stock")
            cursor.execute("DELETE FROM inbox")
            cursor.execute("UPDATE consumer_offsets SET next_offset = 0")
        delivery.send(EVENTS)
        delivery.wait()


def with_the_offset_moved_back(delivery: Delivery) -> None:
    """The offsets alone are those of a backup: records arrive again under a running consumer."""
    with delivery.consumer():
        delivery.send(EVENTS // 2)
        delivery.wait()
        execute(delivery.database, "UPDATE consumer_offsets SET next_offset = 3")
        delivery.send(EVENTS)
        delivery.wait()


def with_a_truncated_log(delivery: Delivery) -> None:
    """The stored offset is beyond the end of the log, so the consumer reads again from its beginning."""
    delivery.send(EVENTS)
    with delivery.consumer():
        delivery.wait()
    execute(delivery.database, "UPDATE consumer_offsets SET next_offset = 1000000")
    with delivery.consumer():
        delivery.wait()


def by_two_consumers_that_both_have_the_partition(delivery: Delivery) -> None:
    """Members of two groups: each believes that the partition is its own, as a zombie does."""
    with delivery.consumer(group="a"), delivery.consumer(group="b"):
        while delivery.stored_offset() != len(delivery.records):
            delivery.send(delivery.rng.randint(1, 15))
            delivery.wait()


# Each record arrives once, as far as the database shows: the stored offset alone is enough, for a sum too.
RECORDS_ONCE = (
    in_one_batch,
    in_random_batches,
    with_a_restart_after_each_batch,
    with_outages,
    with_a_backup_restored_under_it,
    by_two_consumers_that_both_have_the_partition,
)
# Records that were applied arrive again.
RECORDS_AGAIN = (with_the_offset_moved_back, with_a_truncated_log)


@pytest.mark.parametrize("deliver", RECORDS_ONCE + RECORDS_AGAIN, ids=attrgetter("__name__"))
def test_any_delivery_gives_what_one_by_one_gives(deliver: Callable[[Delivery], None], world: World) -> None:
    world.check(deliver, stock.apply)


@pytest.mark.parametrize("deliver", RECORDS_ONCE, ids=attrgetter("__name__"))
def test_without_an_inbox_each_record_counts_exactly_once(deliver: Callable[[Delivery], None], world: World) -> None:
    world.check(deliver, APPLY_WITHOUT_INBOX)


@pytest.mark.parametrize("deliver", RECORDS_AGAIN, ids=attrgetter("__name__"))
def test_without_an_inbox_records_that_arrive_again_count_again(
    deliver: Callable[[Delivery], None], world: World
) -> None:
    with pytest.raises(AssertionError, match="not what one by one gives"):
        world.check(deliver, APPLY_WITHOUT_INBOX)


def one_by_one(database: Database, records: Sequence[Any], apply: Apply) -> Result:
    """The result of the records, each in a transaction of its own."""
    parked = []
    for each in records:
        try:
            with database.transaction() as cursor:
                apply(cursor, stock.parse(each))
        except (UnreadableRecord, pymysql.DataError):
            parked.append((each.offset, each.value))
    return Result(result(database).sums, parked)


def result(database: Database) -> Result:
    return Result(
        dict(rows(database, "SELECT product, sold FROM stock")),
        list(rows(database, "SELECT record_offset, record_value FROM dead_letters ORDER BY record_offset")),
    )


def random_records(rng: random.Random) -> list[Any]:
    """Orders, of which some are resent, unreadable, without an event id, or refused by MySQL; each kind occurs."""
    kinds = ["order"] * 35 + ["resend"] * 15 + ["garbage"] * 4 + ["no id"] * 3 + ["too many"] * 3
    rng.shuffle(kinds)
    made: list[Any] = []
    for offset, kind in enumerate(kinds):
        quantity = TOO_MANY if kind == "too many" else rng.randint(1, 9)
        value = json.dumps({"order_id": offset, "product": rng.choice(("bolt", "nut")), "quantity": quantity}).encode()
        headers = [] if kind == "no id" else [("event_id", f"event-{offset}".encode())]
        if kind == "resend" and made:
            value, headers = (earlier := rng.choice(made)).value, earlier.headers
        made.append(record(offset=offset, value=b"garbage" if kind == "garbage" else value, headers=headers))
    return made
