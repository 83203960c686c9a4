"""From the outbox to a real topic; a stand-in producer only where Kafka is to fail."""

import threading
import time
from contextlib import closing, suppress
from uuid import uuid4

import pymysql
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType

from common.events import known_server
from common.events.lease import LEASE_SECONDS
from common.events.outbox import Event, Outbox
from common.events.publish import Unacknowledged, relay_batch
from common.events.relay import EXPIRED_KEYS_AT_ONCE, Relay
from common.kafka import client_options
from common.mysql import Database
from common.mysql.session import LOCK_WAIT_SECONDS
from common.wakeup import WakeupEvent
from common.worker_status import WorkerStatus
from tests.eventually import eventually
from tests.faults.proxy import Proxy
from tests.integration.service import NOWHERE
from tests.integration.tables import execute, rows, value
from tests.stand_ins import Producer


@pytest.fixture
def connection(wallet_database):
    with closing(wallet_database.connect()) as connection:
        yield connection


@pytest.fixture(scope="session")
def producer(kafka):
    with closing(KafkaProducer(**kafka, acks="all")) as producer:
        yield producer


def put(database, topic, *values, request_id=None):
    """Rows of the outbox, with the sequences 1, 2, …"""
    with database.transaction() as cursor:
        Outbox(cursor).add([Event(topic, "ana", text, number) for number, text in enumerate(values, 1)], request_id)


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
    put(wallet_database, topic, '{"one":1}', '{"two":"é"}', request_id="request 7")
    ((event_id,), _) = rows(wallet_database, "SELECT event_id FROM outbox ORDER BY id")

    relayed = relay_batch(connection, producer)

    one, two = records_of(kafka, topic, 2)
    headers = dict(one.headers)
    assert relayed == 2
    assert (one.key, one.value, two.value) == (b"ana", b'{"one":1}', '{"two":"é"}'.encode())
    assert [name for name, _ in one.headers] == ["sequence", "occurred_at", "event_id", "request_id"]
    assert (headers["sequence"], headers["request_id"]) == (b"1", b"request 7")
    assert headers["event_id"] == event_id.encode()
    assert dict(two.headers)["sequence"] == b"2"
    assert time.strftime("%Y-%m-%dT%H", time.gmtime()).encode()[:10] == headers["occurred_at"][:10]
    assert len(headers["occurred_at"]) == len("2026-11-22T11:42:20.123456Z")
    assert waiting(wallet_database) == []


def test_nothing_waiting_is_nothing_relayed(connection, producer):
    assert relay_batch(connection, producer) == 0


def test_what_nobody_asked_for_has_no_request_id(kafka, producer, connection, wallet_database, topic):
    put(wallet_database, topic, "{}")

    relay_batch(connection, producer)

    (record,) = records_of(kafka, topic, 1)
    assert [name for name, _ in record.headers] == ["sequence", "occurred_at", "event_id"]


def test_what_was_not_acknowledged_goes_again_in_order(connection, wallet_database):
    put(wallet_database, "any", "1", "2", "3")
    with pytest.raises(Unacknowledged):
        relay_batch(connection, Producer(failing={1}))

    producer = Producer()
    relay_batch(connection, producer)

    assert sent_by(producer) == ["2", "3"]
    assert waiting(wallet_database) == []


@pytest.fixture
def late(wallet_database, request):
    """A transaction that has an outbox row and has not committed yet. The parameter: rows with lower ids."""
    for row in getattr(request, "param", ()):
        put(wallet_database, "any", row)
    with closing(wallet_database.connect()) as late, late.cursor() as cursor:
        late.begin()
        Outbox(cursor).add([Event("any", "ana", "late", 1)])
        cursor.flush()
        yield late


def test_a_row_that_commits_late_is_not_lost_though_younger_ones_went_first(connection, wallet_database, late):
    put(wallet_database, "any", "1", "2")
    producer = Producer()

    relay_batch(connection, producer)  # a DELETE of `id <= last` waits for the late row, and raises after 5 s
    late.commit()
    relay_batch(connection, producer)

    assert sent_by(producer) == ["1", "2", "late"]
    assert waiting(wallet_database) == []


@pytest.mark.parametrize("late", [[], ["0"]], indirect=True, ids=["with the lowest id", "with an id between two read"])
def test_the_delete_is_no_range_so_a_row_that_commits_after_the_read_stays(connection, wallet_database, late):
    put(wallet_database, "any", "1", "2")
    producer = Producer(on_get=late.commit)  # between the reading of the rows and their removal

    relay_batch(connection, producer)

    assert sent_by(producer)[-2:] == ["1", "2"]
    assert waiting(wallet_database) == ["late"]


@pytest.mark.parametrize("late", [["0"]], indirect=True, ids=["with an id between two read"])
def test_only_what_was_acknowledged_from_the_start_is_removed(connection, wallet_database, late):
    put(wallet_database, "any", "1", "2", "3")

    with pytest.raises(Unacknowledged):
        relay_batch(connection, Producer(failing={2}, on_get=late.commit))

    assert waiting(wallet_database) == ["late", "2", "3"]


def test_the_relay_does_not_wait_for_a_transfer_that_is_still_open(connection, wallet_database, late):
    put(wallet_database, "any", "1", "2")
    started = time.monotonic()

    relay_batch(connection, Producer())  # a DELETE of `id <= last` waits for the late row, and raises after 5 s

    assert time.monotonic() - started < LOCK_WAIT_SECONDS


def test_a_resend_carries_the_event_id_of_the_first_time(connection, wallet_database):
    put(wallet_database, "any", "1")
    first, second = Producer(failing={0}), Producer()

    with pytest.raises(Unacknowledged):
        relay_batch(connection, first)
    relay_batch(connection, second)

    assert dict(first.sent[0].headers)["event_id"] == dict(second.sent[0].headers)["event_id"]


# ---- the loop around the step


class Running:
    """`Relay.run` in a thread of its own, as the wallet's runner has it."""

    def __init__(self, url, options, topics=()):
        self.wakeup, self.status, self._stop = WakeupEvent(), WorkerStatus(), threading.Event()
        relay = Relay(Database(url), options, topics, 1, 1, self.wakeup, self.status)
        self._thread = threading.Thread(target=relay.run, args=(self._stop,), daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(timeout=15)
        assert not self._thread.is_alive()

    def reports(self, seconds=20, **facts):
        """Wait until its status has these facts; return all of it."""
        eventually(lambda: facts.items() <= self.status.read().items(), seconds=seconds)
        return self.status.read()


def test_the_relay_publishes_what_is_committed_while_it_runs(kafka, wallet_url, wallet_database, topic):
    with Running(wallet_url, kafka) as running:
        running.reports(relay="leader")
        put(wallet_database, topic, "1")
        running.wakeup.notify()
        put(wallet_database, topic, "2")  # nothing notifies the relay: it reads the outbox by itself
        records = records_of(kafka, topic, 2)
        running.reports(kafka="up")

    assert [record.value for record in records] == [b"1", b"2"]
    assert waiting(wallet_database) == []


def test_one_relay_is_the_leader_and_the_other_takes_over_at_once_when_it_ends(
    kafka, wallet_url, wallet_database, topic
):
    with Running(wallet_url, kafka) as first:
        first.reports(relay="leader")
        with Running(wallet_url, kafka) as second:
            second.reports(relay="standby")

            first.__exit__()
            second.reports(relay="leader", seconds=LEASE_SECONDS - 1)
            put(wallet_database, topic, "1")

            assert [record.value for record in records_of(kafka, topic, 1)] == [b"1"]


def test_a_lease_that_is_not_renewed_passes_to_the_next_relay(kafka, wallet_url, wallet_database):
    seconds = int(LEASE_SECONDS * 1_000_000)
    execute(wallet_database, "DELETE FROM leases")
    execute(
        wallet_database,
        "INSERT INTO leases VALUES ('relay', 'one that hangs', UTC_TIMESTAMP(6) + INTERVAL %s MICROSECOND)",
        seconds,
    )

    with Running(wallet_url, kafka) as running:
        running.reports(relay="standby")
        running.reports(relay="leader")


def test_a_lease_of_a_database_clock_that_was_ahead_keeps_no_relay_on_standby(
    kafka, wallet_url, wallet_database, topic
):
    """The clock was three days ahead while the lease was taken or released, and was corrected since."""
    execute(wallet_database, "DELETE FROM leases")
    execute(wallet_database, "INSERT INTO leases VALUES ('relay', 'one', UTC_TIMESTAMP(6) + INTERVAL 3 DAY)")

    with Running(wallet_url, kafka) as running:
        running.reports(relay="leader")
        put(wallet_database, topic, "1")

        assert [record.value for record in records_of(kafka, topic, 1)] == [b"1"]


def test_a_lease_of_a_clock_that_was_ten_minutes_ahead_is_named_until_its_row_is_deleted(
    kafka, wallet_url, wallet_database, caplog
):
    execute(wallet_database, "DELETE FROM leases")
    execute(wallet_database, "INSERT INTO leases VALUES ('relay', 'one', UTC_TIMESTAMP(6) + INTERVAL 10 MINUTE)")
    caplog.set_level("INFO", logger="relay")

    with Running(wallet_url, kafka) as running:
        running.reports(relay="standby", kafka="up")
        eventually(lambda: "the lease relay ends in 59" in running.status.read().get("failing", ""), seconds=5)
        execute(wallet_database, "DELETE FROM leases")
        running.reports(relay="leader")

    changes = [(line.levelname, line.relay, hasattr(line, "reason")) for line in caplog.records if line.name == "relay"]
    assert changes[:2] == [("WARNING", "standby", True), ("INFO", "leader", False)]


def test_an_event_from_a_clock_that_was_ahead_has_waited_no_negative_time(wallet_database, topic):
    put(wallet_database, topic, "1")
    execute(wallet_database, "UPDATE outbox SET created_at = UTC_TIMESTAMP(6) + INTERVAL 3 DAY")

    with wallet_database.transaction() as cursor:
        (row,) = Outbox(cursor).oldest(1)
        assert Outbox(cursor).depth() == (1, 0)
    assert row.waiting_us == 0


def test_a_leader_whose_lease_was_taken_is_on_standby(kafka, wallet_url, wallet_database):
    with Running(wallet_url, kafka) as running:
        running.reports(relay="leader")

        execute(
            wallet_database,
            "UPDATE leases SET holder = 'another', expires_at = UTC_TIMESTAMP(6) + INTERVAL 30 SECOND",
        )

        running.reports(relay="standby")
    execute(wallet_database, "DELETE FROM leases")


def test_the_relay_that_loses_its_connection_goes_on_with_another(kafka, wallet_url, wallet_database, topic):
    with Running(wallet_url, kafka) as running:
        running.reports(relay="leader")
        own = rows(wallet_database, "SELECT CONNECTION_ID()")[0][0]
        connections = [row[0] for row in rows(wallet_database, "SHOW PROCESSLIST") if row[0] != own]

        for connection in connections:
            with suppress(pymysql.MySQLError):
                execute(wallet_database, f"KILL {connection}")
        put(wallet_database, topic, "1")

        assert [record.value for record in records_of(kafka, topic, 1)] == [b"1"]


def test_a_relay_without_kafka_keeps_everything_and_reports_it(wallet_url, wallet_database):
    put(wallet_database, "any", "1")

    with Running(wallet_url, client_options(NOWHERE)) as running:
        running.reports(relay="waiting_for_kafka", kafka="down")

    assert waiting(wallet_database) == ["1"]


def test_a_topic_that_was_deleted_is_created_again_though_nothing_is_sent(kafka, admin, wallet_url, wallet_database):
    topic = f"test-{uuid4()}"
    with Running(wallet_url, kafka, [topic]) as running:
        running.reports(relay="leader")
        deleted = topic_id(admin, topic)
        admin.delete_topics([topic])

        eventually(lambda: topic_id(admin, topic) not in (None, deleted))
    admin.delete_topics([topic])


def topic_id(admin, topic):
    """The id of the topic, None while there is no such topic."""
    (described,) = admin.describe_topics([topic])
    return described["topic_id"] if described["error_code"] == 0 else None


# ---- what Kafka or MySQL does not do


@pytest.fixture
def narrow_topic(admin):
    """It accepts 600 bytes."""
    topic = f"test-{uuid4()}"
    configs = {"max.message.bytes": "600"}
    admin.create_topics({topic: {"num_partitions": 1, "replication_factor": 1, "configs": configs}})
    yield topic
    admin.delete_topics([topic])


def test_events_that_a_topic_takes_one_by_one_go_though_a_batch_of_them_is_too_large(
    kafka, wallet_url, wallet_database, narrow_topic
):
    values = [f'{{"number":{number:0150}}}' for number in range(50)]
    put(wallet_database, narrow_topic, *values)

    with Running(wallet_url, kafka, [narrow_topic]):
        records = records_of(kafka, narrow_topic, 50)

    assert [record.value.decode() for record in records] == values


def test_an_event_larger_than_its_topic_takes_is_reported_with_the_way_out_and_waits_for_it(
    kafka, admin, wallet_url, wallet_database, narrow_topic, caplog
):
    put(wallet_database, narrow_topic, "before", "large " * 200, "after")
    row_id = value(wallet_database, "SELECT id FROM outbox WHERE payload LIKE 'large%%'")

    with Running(wallet_url, kafka, [narrow_topic]) as running, caplog.at_level("INFO", logger="relay"):
        eventually(lambda: "failing" in running.status.read())
        status = running.reports(relay="leader", kafka="up")
        tries = count_of_writes(running.status, seconds=20, writes=4)
        sent = [record.value for record in records_of(kafka, narrow_topic, 1)]
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, narrow_topic, {"max.message.bytes": "9999"})])
        eventually(lambda: waiting(wallet_database) == [])
        eventually(lambda: "failing" not in running.status.read())

    assert tries == 4
    assert status["failing"] == (
        f"the event of outbox row {row_id}, key ana, has 1200 bytes; topic {narrow_topic} does not accept it:"
        " raise its max.message.bytes, which is 600; later events wait"
    )
    assert sent[0] == b"before"
    assert len(sent) <= 2  # `after` went with the first try; no further try repeats it
    logged = [record for record in caplog.records if getattr(record, "reason", None)]
    assert [(record.levelname, record.reason) for record in logged] == [("WARNING", status["failing"])]


def test_old_idempotency_keys_are_forgotten_though_the_outbox_is_never_empty(
    kafka, wallet_url, wallet_database, narrow_topic
):
    put(wallet_database, narrow_topic, "large " * 200)
    execute(
        wallet_database,
        "INSERT INTO idempotency_keys (scope, idempotency_key, body_sha256, created_at)"
        " SELECT 'POST /things', seq, REPEAT('0', 32), UTC_TIMESTAMP(6) - INTERVAL 25 HOUR FROM"
        " (WITH RECURSIVE numbers AS (SELECT 1 AS seq UNION ALL SELECT seq + 1 FROM numbers WHERE seq < %s)"
        "  SELECT seq FROM numbers) AS numbers",
        EXPIRED_KEYS_AT_ONCE + 1,
    )

    with Running(wallet_url, kafka, [narrow_topic]):
        eventually(lambda: value(wallet_database, "SELECT COUNT(*) FROM idempotency_keys") == 0)

    assert value(wallet_database, "SELECT COUNT(*) FROM outbox") == 1


def count_of_writes(status, seconds, writes):
    """Wait until the status was written so often."""
    seen = set()

    def often():
        seen.add(status.read()["written_at"])
        return len(seen) >= writes

    eventually(often, seconds=seconds)
    return len(seen)


def test_a_server_that_hangs_while_nothing_is_sent_is_reported_within_5_s_and_so_is_its_return(
    kafka, wallet_url, wallet_database
):
    host, port = wallet_url.partition("@")[2].partition("/")[0].split(":")
    proxy = Proxy(int(port), host)
    with Running(wallet_url.replace(f"{host}:{port}", f"127.0.0.1:{proxy.port}"), kafka) as running:
        running.reports(relay="leader", kafka="up")

        proxy.hang()
        status = running.reports(relay="waiting_for_mysql", kafka="unknown", seconds=5)
        proxy.let_go()
        running.reports(relay="leader", kafka="up", seconds=5)

    assert status["failing"]


# ---- another server


def test_another_server_is_noticed_once_and_until_everything_was_announced(wallet_database):
    execute(wallet_database, "DELETE FROM known_server")

    with wallet_database.transaction() as cursor:
        assert not known_server.notice(cursor)  # the first server of all
        assert not known_server.changed(cursor)
    execute(wallet_database, "UPDATE known_server SET server = 'the one that was replaced'")
    before = value(wallet_database, "SELECT UTC_TIMESTAMP(6)")
    with wallet_database.transaction() as cursor:
        assert known_server.notice(cursor)
        assert not known_server.notice(cursor)
        known_server.mark_announced(cursor, before)  # an announcement that began before the change
        assert known_server.changed(cursor)
    with wallet_database.transaction() as cursor:
        cursor.execute("SELECT UTC_TIMESTAMP(6)")
        known_server.mark_announced(cursor, cursor.fetchone()[0])
        assert not known_server.changed(cursor)


def test_an_announcement_counts_though_the_change_was_noticed_by_a_clock_that_was_ahead(wallet_database):
    execute(wallet_database, "DELETE FROM known_server")
    execute(
        wallet_database,
        "INSERT INTO known_server (server, changed_at) VALUES ('new', UTC_TIMESTAMP(6) + INTERVAL 3 DAY)",
    )

    with wallet_database.transaction() as cursor:
        cursor.execute("SELECT UTC_TIMESTAMP(6)")
        known_server.mark_announced(cursor, cursor.fetchone()[0])
        assert not known_server.changed(cursor)
