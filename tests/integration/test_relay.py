"""From the outbox to a real topic; a stand-in producer only where Kafka is to fail."""

import threading
import time
from contextlib import closing

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from common.bell import Bell
from common.kafka import client_options
from common.mysql import LOCK_WAIT_SECONDS, Database
from common.status import Status
from tests.eventually import eventually
from tests.integration.service import NOWHERE
from tests.integration.tables import execute, rows
from tests.stand_ins import Producer
from wallet import relay
from wallet.relay import Unacknowledged, relay_batch
from wallet.repositories import Outbox


@pytest.fixture
def connection(wallet_database):
    with closing(wallet_database.connect()) as connection:
        yield connection


@pytest.fixture(scope="session")
def producer(kafka):
    with closing(KafkaProducer(**kafka, acks="all")) as producer:
        yield producer


def put(database, topic, *values, request_id=None):
    """Rows of the outbox; give the id of the first."""
    with database.transaction() as cursor:
        outbox = Outbox(cursor)
        outbox.add([(topic, "ana", text) for text in values], request_id)
    return outbox.first_id()


def waiting(database):
    return [payload for (payload,) in rows(database, "SELECT payload FROM outbox ORDER BY id")]


def records_of(kafka, topic, expected):
    """The topic's records, as soon as there are so many."""
    with closing(KafkaConsumer(**kafka, group_id=None)) as consumer:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        consumer.seek_to_beginning(partition)
        found = []

        def all_of_them():
            found.extend(consumer.poll(timeout_ms=200).get(partition, []))
            return len(found) >= expected

        eventually(all_of_them)
    return found


def sent_by(producer):
    return [record.value.decode() for record in producer.sent]


def test_the_oldest_go_first_with_their_key_and_their_headers(kafka, producer, connection, wallet_database, topic):
    first = put(wallet_database, topic, '{"one":1}', '{"two":"é"}', request_id="request 7")

    relayed = relay_batch(connection, producer)

    one, two = records_of(kafka, topic, 2)
    headers = dict(one.headers)
    assert relayed == 2
    assert (one.key, one.value, two.value) == (b"ana", b'{"one":1}', '{"two":"é"}'.encode())
    assert [name for name, _ in one.headers] == ["sequence", "occurred_at", "request_id"]
    assert (headers["sequence"], headers["request_id"]) == (str(first).encode(), b"request 7")
    assert dict(two.headers)["sequence"] == str(first + 1).encode()
    assert time.strftime("%Y-%m-%dT%H", time.gmtime()).encode()[:10] == headers["occurred_at"][:10]
    assert len(headers["occurred_at"]) == len("2026-11-22T11:42:20.123456Z")
    assert waiting(wallet_database) == []


def test_nothing_waiting_is_nothing_relayed(connection, producer):
    assert relay_batch(connection, producer) == 0


def test_what_nobody_asked_for_has_no_request_id(kafka, producer, connection, wallet_database, topic):
    put(wallet_database, topic, "{}")

    relay_batch(connection, producer)

    (record,) = records_of(kafka, topic, 1)
    assert [name for name, _ in record.headers] == ["sequence", "occurred_at"]


def test_only_what_was_acknowledged_from_the_start_is_removed(connection, wallet_database):
    put(wallet_database, "any", "1", "2", "3", "4")

    with pytest.raises(Unacknowledged):
        relay_batch(connection, Producer(failing={2}))

    assert waiting(wallet_database) == ["3", "4"]


def test_what_was_not_acknowledged_goes_again_in_order(connection, wallet_database):
    put(wallet_database, "any", "1", "2", "3")
    with pytest.raises(Unacknowledged):
        relay_batch(connection, Producer(failing={1}))

    producer = Producer()
    relay_batch(connection, producer)

    assert sent_by(producer) == ["2", "3"]
    assert waiting(wallet_database) == []


@pytest.fixture
def late(wallet_database):
    """A transaction that drew the lowest id of all and has not committed yet."""
    with closing(wallet_database.connect()) as late, late.cursor() as cursor:
        late.begin()
        Outbox(cursor).add([("any", "ana", "late")], None)
        cursor.send_held()
        yield late


def test_a_row_that_commits_late_is_not_lost_though_younger_ones_went_first(connection, wallet_database, late):
    put(wallet_database, "any", "1", "2")
    producer = Producer()

    relay_batch(connection, producer)
    late.commit()
    relay_batch(connection, producer)

    assert sent_by(producer) == ["1", "2", "late"]
    assert waiting(wallet_database) == []


def test_a_row_that_commits_behind_the_relays_back_is_not_removed_unsent(connection, wallet_database, late):
    put(wallet_database, "any", "1", "2")
    producer = Producer(on_get=late.commit)  # between the reading of the rows and their removal

    relay_batch(connection, producer)

    assert sent_by(producer) == ["1", "2"]
    assert waiting(wallet_database) == ["late"]


def test_the_relay_does_not_wait_for_a_transfer_that_is_still_open(connection, wallet_database, late):
    put(wallet_database, "any", "1", "2")
    started = time.monotonic()

    relay_batch(connection, Producer())

    assert time.monotonic() - started < LOCK_WAIT_SECONDS


# ---- the runner around the step


class Relay:
    """`relay.run` in a thread of its own, as the wallet's runner has it."""

    def __init__(self, database, options):
        self.bell, self.status, self._stop = Bell(), Status(), threading.Event()
        arguments = (self._stop, database, options, 1, 1, self.bell, self.status)
        self._thread = threading.Thread(target=relay.run, args=arguments, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(timeout=15)
        assert not self._thread.is_alive()

    def tells(self, **facts):
        """Wait until its status has these facts."""
        eventually(lambda: facts.items() <= self.status.read().items(), seconds=20)


def test_the_relay_publishes_what_is_committed_while_it_runs(kafka, wallet_url, wallet_database, topic):
    with Relay(Database(wallet_url), kafka) as running:
        running.tells(relay="leads")
        put(wallet_database, topic, "1")
        running.bell.ring()
        put(wallet_database, topic, "2")  # nobody rings: it looks by itself
        records = records_of(kafka, topic, 2)
        running.tells(kafka="up")

    assert [record.value for record in records] == [b"1", b"2"]
    assert waiting(wallet_database) == []


def test_one_relay_leads_and_the_other_takes_over(kafka, wallet_url, wallet_database, topic):
    with Relay(Database(wallet_url), kafka) as first:
        first.tells(relay="leads")
        with Relay(Database(wallet_url), kafka) as second:
            second.tells(relay="another leads")

            first.__exit__()
            second.tells(relay="leads")
            put(wallet_database, topic, "1")

            assert [record.value for record in records_of(kafka, topic, 1)] == [b"1"]


def test_the_relay_that_loses_its_connection_asks_for_the_lead_anew(kafka, wallet_url, wallet_database, topic):
    with Relay(Database(wallet_url), kafka) as running:
        running.tells(relay="leads")
        ((leader,),) = rows(wallet_database, "SELECT IS_USED_LOCK(CONCAT(DATABASE(), '.relay'))")

        execute(wallet_database, f"KILL {leader}")
        put(wallet_database, topic, "1")

        assert [record.value for record in records_of(kafka, topic, 1)] == [b"1"]


def test_a_relay_without_kafka_keeps_everything_and_says_so(wallet_url, wallet_database):
    put(wallet_database, "any", "1")

    with Relay(Database(wallet_url), client_options(NOWHERE)) as running:
        running.tells(relay="waits for Kafka", kafka="down")

    assert waiting(wallet_database) == ["1"]
