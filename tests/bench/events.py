"""How fast Balances applies events, against a loop that polls and decodes the same records and does nothing else."""

import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from kafka import KafkaConsumer, TopicPartition

from common.events import consumer as settings
from tests.bench import system
from tests.bench.benchmark import Benchmark, Step
from tests.bench.report import Row, Run
from tests.eventually import eventually

EVENTS_PER_SECOND = 30_000  # published for each second of a measurement
WARM_UP_EVENTS = 20_000
FEW, MANY = 1_000, 100_000  # accounts
PARTITION = TopicPartition(system.TOPIC, 0)


class Consumed(NamedTuple):
    first_offset: int
    per_second: float


def consume(events: int, accounts: int) -> Consumed:
    """Publish the events; give how many a second Balances applies, from its first to its last COMMIT."""
    with closing(system.connect("balances")) as connection:
        first = system.produce(events, accounts)
        began_at, applied = wait_for_offset(connection, first + 1)
        ended_at, _ = wait_for_offset(connection, first + events)
    if applied >= first + events:
        raise SystemExit(f"Balances applied {events} events in one batch: more seconds are needed to measure the rate")
    return Consumed(first, (first + events - applied) / (ended_at - began_at))


def stored_offset(connection: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT SUM(next_offset) FROM consumer_offsets WHERE topic = %s", (system.TOPIC,))
        ((total,),) = cursor.fetchall()
        return int(total or 0)


def wait_for_offset(connection: Any, offset: int) -> tuple[float, int]:
    """Wait until Balances has stored that offset or a higher one; give (time in seconds, stored offset)."""
    stored = 0

    def reached() -> bool:
        nonlocal stored
        stored = stored_offset(connection)
        return stored >= offset

    eventually(reached, system.WAIT_SECONDS, f"the stored offset {offset}", every=0.003)
    return time.perf_counter(), stored


def poll_and_decode(first: int, events: int) -> float:
    """Events a second of `poll` and `json.loads` alone, by a client with the settings of Balances."""
    options = {
        "isolation_level": "read_committed",
        "max_poll_records": settings.POLL_RECORDS,
        "max_partition_fetch_bytes": settings.FETCH_BYTES,
        "fetch_max_wait_ms": settings.FETCH_WAIT_MS,
        "check_crcs": True,
    }
    with closing(KafkaConsumer(**system.KAFKA, **options)) as consumer:
        consumer.assign([PARTITION])
        consumer.seek(PARTITION, first)
        while not (batch := consumer.poll(timeout_ms=300)):  # connects
            pass
        seen = began_with = sum(map(len, batch.values()))
        started = time.perf_counter()
        while seen < events:
            for records in consumer.poll(timeout_ms=300).values():
                for record in records:
                    json.loads(record.value)
                seen += len(records)
        return (seen - began_with) / (time.perf_counter() - started)


class Events:
    """The steps over a number of accounts. The reference reads the events that the step of the product published."""

    def __init__(self, accounts: int) -> None:
        self._accounts = accounts
        self._memory_mb = 0.0
        self._first_offset = 0

    @contextmanager
    def prepared(self, root: Path) -> Iterator[None]:
        system.restart(root, "balances")
        system.fill_balances(MANY)
        consume(WARM_UP_EVENTS, self._accounts)  # buffers grow to their size
        self._memory_mb = system.memory_mb("balances")
        yield

    def product(self, seconds: int) -> Run:
        self._first_offset, rate = consume(seconds * EVENTS_PER_SECOND, self._accounts)
        return {"events": rate, "memory": system.memory_mb("balances"), "memory_before": self._memory_mb}

    def reference(self, seconds: int) -> Run:
        return {"bare_events": poll_and_decode(self._first_offset, seconds * EVENTS_PER_SECOND)}


def _benchmark(accounts: int, at_least: float, further_rows: list[Row]) -> Benchmark:
    events = Events(accounts)
    bare = "poll and json.loads"
    return Benchmark(
        about=f"events over {accounts:,} accounts into MySQL against a loop of {bare}",
        prepare=events.prepared,
        steps=[
            Step(events.product, fixed_seconds=1, times=2.5),
            Step(events.reference, is_product=False, fixed_seconds=0.5, times=0.5),
        ],
        rows=[
            Row(f"events over {accounts:,} accounts", "events/s", "events", "bare_events", bare, at_least=at_least),
            *further_rows,
        ],
    )


FEW_ACCOUNTS = _benchmark(
    FEW,
    0.85,
    [Row("memory of Balances", "MB", "memory", "memory_before", "before the events", at_most=1.1, every_run=True)],
)
MANY_ACCOUNTS = _benchmark(MANY, 0.35, [])
