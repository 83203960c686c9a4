"""One batch at a time, from a real topic into real tables."""

import hashlib
import json
import os
from contextlib import closing, contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pymysql
import pytest
from kafka import KafkaProducer, TopicPartition
from kafka.errors import TopicAlreadyExistsError

from common.events import consumer, offsets
from common.events.consumer import Group
from common.events.offsets import Partition
from common.events.progress import LISTED, Progress
from common.mysql import Database, DatabaseUnavailable
from common.worker_status import WorkerStatus
from tests.events import balance_announced, balance_updated
from tests.eventually import eventually
from tests.integration.consumers import consume, consumer_of, initialize, step
from tests.integration.tables import execute, rows, value

# The bytes of the Wallet Core (Go).
TRANSFER = (
    b'{"Name":"BalanceUpdated","Payload":{"account_id_from":"ana","account_id_to":"bruno",'
    b'"balance_account_id_from":900,"balance_account_id_to":1100}}'
)
ANA_CREATED = b'{"Name":"AccountCreated","Payload":{"account_id":"ana","balance":0}}'
OCCURRED_AT = ("occurred_at", b"2026-11-22T11:42:20.123456Z")


def transfer(ana, bruno):
    """A BalanceUpdated with these balances of Ana and Bruno."""
    balances = {"balance_account_id_from": ana, "balance_account_id_to": bruno}
    return balance_updated(account_id_from="ana", account_id_to="bruno", **balances)


def numbered(sequence):
    return [("sequence", str(sequence).encode()), OCCURRED_AT]


def balances_in(database):
    return dict(rows(database, "SELECT account_id, balance FROM balances"))


def offsets_in(database):
    return dict(rows(database, "SELECT partition_id, next_offset FROM consumer_offsets"))


@pytest.fixture
def worker(kafka, balances_database, topic):
    with consumer_of(kafka, balances_database, topic) as worker:
        initialize(worker)
        yield worker


# ---- what a message does


def test_a_transfer_changes_both_balances_and_moves_the_offset(worker, send, topic, balances_database):
    send(topic, TRANSFER, key=b"ana", headers=numbered(7))

    consume(worker, 1)

    happened = datetime(2026, 11, 22, 11, 42, 20, 123456)
    assert rows(balances_database, "SELECT account_id, balance, sequence, updated_at FROM balances ORDER BY 1") == (
        ("ana", Decimal("900.00"), 7, happened),
        ("bruno", Decimal("1100.00"), 7, happened),
    )
    assert offsets_in(balances_database) == {0: 1}


def test_events_of_the_wallet_core_are_applied_without_key_and_headers(worker, send, topic, balances_database):
    sent = send(topic, TRANSFER, timestamp_ms=1_795_000_000_123)

    consume(worker, 1)

    assert sent.offset == 0
    assert rows(balances_database, "SELECT account_id, balance, sequence, updated_at FROM balances ORDER BY 1") == (
        ("ana", Decimal("900.00"), 0, datetime(2026, 11, 18, 11, 6, 40, 123000)),
        ("bruno", Decimal("1100.00"), 0, datetime(2026, 11, 18, 11, 6, 40, 123000)),
    )


def test_events_without_a_sequence_apply_in_order_and_do_not_change_the_sequence(
    worker, send, topic, balances_database
):
    send(topic, transfer(900, 1100), headers=numbered(7))
    send(topic, transfer(800, 1200))
    send(topic, transfer(850, 1150))

    consume(worker, 3)

    assert rows(balances_database, "SELECT account_id, balance, sequence FROM balances ORDER BY 1") == (
        ("ana", Decimal("850.00"), 7),
        ("bruno", Decimal("1150.00"), 7),
    )


def test_an_older_sequence_changes_nothing_though_it_comes_later(worker, send, topic, balances_database):
    send(topic, transfer(900, 1100), headers=numbered(5))
    consume(worker, 1)
    send(topic, transfer(1000, 1000), headers=numbered(3))

    consume(worker, 1)

    assert balances_in(balances_database) == {"ana": 900, "bruno": 1100}


def test_a_batch_folds_to_the_highest_sequence_not_to_the_last_seen(kafka, send, topic, make_topic, balances_database):
    for sequence, ana in ((2, 200), (5, 500), (3, 300)):
        send(topic, transfer(ana, 1000 - ana), headers=numbered(sequence))

    with consumer_of(kafka, balances_database, topic) as worker:
        consume(worker, 3)

    assert balances_in(balances_database) == {"ana": 500, "bruno": 500}


def test_two_partitions_converge_in_whatever_order_they_are_read(kafka, send, make_topic, balances_database):
    topic = make_topic(partitions=2)
    for sequence in (1, 4, 5, 8):
        send(topic, transfer(sequence, 100 - sequence), headers=numbered(sequence), partition=sequence % 2)

    with consumer_of(kafka, balances_database, topic) as worker:
        consume(worker, 4)

    assert balances_in(balances_database) == {"ana": 8, "bruno": 92}
    assert offsets_in(balances_database) == {0: 2, 1: 2}


def test_an_account_just_created_holds_zero(worker, send, topic, balances_database):
    send(topic, ANA_CREATED, headers=numbered(1))

    consume(worker, 1)

    assert balances_in(balances_database) == {"ana": 0}


def test_a_creation_consumed_after_a_transfer_does_not_empty_the_account(worker, send, topic, balances_database):
    send(topic, transfer(900, 1100), headers=numbered(2))
    consume(worker, 1)
    send(topic, ANA_CREATED, headers=numbered(3))

    consume(worker, 1)

    assert balances_in(balances_database) == {"ana": 900, "bruno": 1100}


def test_an_announced_balance_counts_only_while_it_is_the_newest(worker, send, topic, balances_database):
    send(topic, transfer(900, 1100), headers=numbered(5))
    send(topic, balance_announced("ana", 1000), headers=numbered(4))
    send(topic, balance_announced("bruno", 1101), headers=numbered(6))

    consume(worker, 3)

    assert balances_in(balances_database) == {"ana": 900, "bruno": 1101}


# ---- poison


def test_garbage_is_parked_and_the_good_message_after_it_counts(worker, send, topic, balances_database):
    send(topic, b"garbage")
    send(topic, TRANSFER)

    consume(worker, 2)

    assert balances_in(balances_database) == {"ana": 900, "bruno": 1100}
    assert rows(balances_database, "SELECT topic, record_offset, record_value, state FROM dead_letters") == (
        (topic, 0, b"garbage", "parked"),
    )
    assert offsets_in(balances_database) == {0: 2}


def test_a_parked_message_is_stored_completely(worker, send, topic, balances_database):
    headers = [("sequence", b"not a number"), ("raw", b"\xff\x00"), ("sequence", b"1")]
    sent = send(topic, TRANSFER + b"\xfe", key=b"\x00\xff", headers=headers, timestamp_ms=1_795_000_000_123)

    consume(worker, 1)

    ((topic_id, key, body, kept_headers, timestamp, error),) = rows(
        balances_database,
        "SELECT topic_id, record_key, record_value, record_headers, record_timestamp, error FROM dead_letters",
    )
    assert (key, body, timestamp) == (b"\x00\xff", TRANSFER + b"\xfe", sent.timestamp)
    assert [(name, text.encode("latin-1")) for name, text in json.loads(kept_headers)] == headers
    assert topic_id == value(balances_database, "SELECT topic_id FROM consumer_offsets")
    assert error


def test_a_message_without_a_value_is_parked(worker, send, topic, balances_database):
    send(topic, None, key=b"ana")

    consume(worker, 1)

    assert rows(balances_database, "SELECT record_key, record_value FROM dead_letters") == ((b"ana", None),)


def test_a_message_parked_before_is_not_parked_twice(kafka, send, topic, balances_database):
    send(topic, b"garbage")
    with consumer_of(kafka, balances_database, topic) as worker:
        consume(worker, 1)
    execute(balances_database, "UPDATE consumer_offsets SET next_offset = 0")

    with consumer_of(kafka, balances_database, topic) as worker:
        consume(worker, 1)

    assert value(balances_database, "SELECT COUNT(*) FROM dead_letters") == 1


@pytest.fixture
def small_packets(balances_database):
    """A server that takes packets of 1 MiB, the least that MySQL's own default may be."""
    socket = Path(os.environ.get("LOCAL_DIR", "/nowhere")) / "mysql" / "mysql.sock"
    if not socket.exists():
        pytest.skip("only root may change the server's packets, and it is reached through the socket of ./local.sh")
    with closing(pymysql.connect(unix_socket=str(socket), user="root")) as root, root.cursor() as cursor:
        cursor.execute("SELECT @@GLOBAL.max_allowed_packet")
        ((before,),) = cursor.fetchall()
        cursor.execute("SET GLOBAL max_allowed_packet = 1048576")
        yield
        cursor.execute("SET GLOBAL max_allowed_packet = %s", (before,))


@pytest.mark.parametrize("values", [[b"\xff" * 700_000], [b"\xff" * 100_000] * 40], ids=["one large", "many"])
def test_unreadable_records_are_parked_though_the_server_takes_small_packets(
    small_packets, kafka, topic, balances_url, balances_database, values
):
    with closing(KafkaProducer(**kafka, acks="all")) as producer:
        for body in (*values, TRANSFER):
            producer.send(topic, body, partition=0)
        producer.flush()

    with consumer_of(kafka, Database(balances_url), topic) as worker:
        consume(worker, len(values) + 1)

    assert balances_in(balances_database) == {"ana": 900, "bruno": 1100}
    parked = rows(balances_database, "SELECT LENGTH(record_value), value_bytes, value_sha256 FROM dead_letters")
    digest = hashlib.sha256(values[0]).hexdigest()
    assert len(parked) == len(values)
    for kept, size, value_digest in parked:
        cut = kept < len(values[0])
        assert kept > 0
        assert (size, value_digest) == ((len(values[0]), digest) if cut else (None, None))


@pytest.fixture
def narrow_balances(balances_database):
    """A column that holds less than the parser lets through, so that MySQL is the one to refuse."""
    execute(balances_database, "ALTER TABLE balances MODIFY balance DECIMAL(5, 2) NOT NULL")
    yield balances_database
    execute(balances_database, "DELETE FROM balances")
    execute(balances_database, "ALTER TABLE balances MODIFY balance DECIMAL(15, 2) NOT NULL")


def test_what_mysql_refuses_is_parked_and_the_rest_of_its_batch_counts(kafka, send, topic, narrow_balances):
    send(topic, balance_announced("ana", 10), headers=numbered(1))
    send(topic, transfer(20, 1000), headers=numbered(2))
    send(topic, b"garbage")
    send(topic, balance_announced("carla", 30), headers=numbered(3))

    with consumer_of(kafka, narrow_balances, topic) as worker:
        consume(worker, 4)

    assert balances_in(narrow_balances) == {"ana": 10, "carla": 30}  # all of the second message was taken back
    assert [offset for (offset,) in rows(narrow_balances, "SELECT record_offset FROM dead_letters ORDER BY 1")] == [
        1,
        2,
    ]
    assert offsets_in(narrow_balances) == {0: 4}


# ---- where to continue


def test_consuming_continues_at_the_offset_in_mysql_whatever_the_group_committed(kafka, send, topic, balances_database):
    send(topic, transfer(900, 1100), headers=numbered(1))
    with consumer_of(kafka, balances_database, topic, group=f"{topic}-a") as worker:
        consume(worker, 1)
    send(topic, transfer(800, 1200), headers=numbered(2))

    with consumer_of(kafka, balances_database, topic, group=f"{topic}-b") as another:
        consume(another, 1)

    assert balances_in(balances_database) == {"ana": 800, "bruno": 1200}


def test_a_consumer_that_is_ahead_discards_its_batch_and_reads_what_it_would_have_skipped(
    worker, send, topic, balances_database
):
    for balance in (10, 20):
        send(topic, balance_announced(f"account {balance}", balance), headers=numbered(1))
    consume(worker, 2)
    # A backup of Balances, older than this consumer's position, is restored while it runs.
    execute(balances_database, "DELETE FROM balances")
    execute(balances_database, "UPDATE consumer_offsets SET next_offset = 0")
    send(topic, balance_announced("account 30", 30), headers=numbered(2))

    eventually(lambda: worker.assignment.positions[Partition(topic, 0)].next_offset == 2 and not worker.consume_batch())
    consume(worker, 3)

    assert balances_in(balances_database) == {"account 10": 10, "account 20": 20, "account 30": 30}
    assert offsets_in(balances_database) == {0: 3}


def test_a_consumer_that_is_behind_discards_its_batch(worker, kafka, send, topic, balances_database):
    send(topic, transfer(900, 1100))
    with consumer_of(kafka, balances_database, topic) as another:  # it has the partition now
        consume(another, 1)
    execute(balances_database, "UPDATE balances SET balance = 1")  # a second application would be visible

    applied = [worker.consume_batch() for _ in range(5)]

    assert applied == [0] * 5
    assert balances_in(balances_database) == {"ana": 1, "bruno": 1}
    assert offsets_in(balances_database) == {0: 1}


def test_a_restored_database_is_noticed_though_nothing_new_is_published(worker, send, topic, balances_database):
    send(topic, transfer(900, 1100))
    consume(worker, 1)
    execute(balances_database, "DELETE FROM balances")  # as of a backup from before the transfer
    execute(balances_database, "UPDATE consumer_offsets SET next_offset = 0")

    worker.probe()
    consume(worker, 1)

    assert balances_in(balances_database) == {"ana": 900, "bruno": 1100}


class Unlucky(Database):
    """A database that is unavailable before a transaction begins, or after it committed."""

    def __init__(self, url):
        super().__init__(url)
        self.fails_before = self.fails_after = False

    @contextmanager
    def transaction(self):
        if self.fails_before:
            raise DatabaseUnavailable("(2003) unavailable")
        with super().transaction() as cursor:
            yield cursor
        if self.fails_after:
            raise DatabaseUnavailable("(2013) the answer to COMMIT was lost")


def test_a_batch_whose_commit_took_effect_is_not_applied_again_though_its_answer_was_lost(
    kafka, send, topic, balances_url, balances_database
):
    database = Unlucky(balances_url)
    with consumer_of(kafka, database, topic) as worker:
        initialize(worker)
        send(topic, transfer(900, 1100))

        database.fails_after = True
        eventually(lambda: worker.consume_batch() == 0 and worker.mysql == "read_only")
        database.fails_after = False
        execute(balances_database, "UPDATE balances SET balance = 1")
        initialize(worker)

    assert balances_in(balances_database) == {"ana": 1, "bruno": 1}
    assert offsets_in(balances_database) == {0: 1}


def test_an_outage_of_mysql_parks_nothing_and_loses_nothing(kafka, send, topic, balances_url, balances_database):
    database = Unlucky(balances_url)
    with consumer_of(kafka, database, topic) as worker:
        initialize(worker)
        send(topic, transfer(900, 1100))

        database.fails_before = True
        eventually(lambda: worker.consume_batch() == 0 and worker.mysql == "read_only")
        database.fails_before = False
        consume(worker, 1)

    assert balances_in(balances_database) == {"ana": 900, "bruno": 1100}
    assert value(balances_database, "SELECT COUNT(*) FROM dead_letters") == 0


# ---- a log that is not what it was


def announce_required(database):
    return database.read(offsets.announce_required)


def test_a_recreated_topic_is_read_from_its_beginning(kafka, admin, send, topic, balances_database):
    for balance in (10, 20):
        send(topic, balance_announced("ana", balance), headers=numbered(balance))
    with consumer_of(kafka, balances_database, topic) as worker:
        consume(worker, 2)
    remake(admin, topic)
    for balance in (30, 40, 50):
        send(topic, balance_announced(f"account {balance}", balance), headers=numbered(balance))

    with consumer_of(kafka, balances_database, topic) as worker:
        consume(worker, 3)

    assert balances_in(balances_database) == {"ana": 20, "account 30": 30, "account 40": 40, "account 50": 50}
    assert announce_required(balances_database)  # what the old topic may have held unread


def test_a_recreated_topic_under_a_consumer_is_read_from_its_beginning(worker, admin, send, topic, balances_database):
    send(topic, balance_announced("ana", 10), headers=numbered(10))
    consume(worker, 1)
    remake(admin, topic)
    for balance in (20, 30):  # the second has the offset that comes next to a consumer of the old topic
        send(topic, balance_announced(f"account {balance}", balance), headers=numbered(balance))

    eventually(lambda: worker.consume_batch() == 2)

    assert balances_in(balances_database) == {"ana": 10, "account 20": 20, "account 30": 30}
    assert offsets_in(balances_database) == {0: 2}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("while_stopped", [False, True], ids=["under a consumer", "while stopped"])
def test_a_topic_recreated_with_fewer_partitions_is_read(
    kafka, admin, make_topic, send, balances_database, while_stopped
):
    topic, member = make_topic(2), {"group": f"test-{uuid4()}", "instance": "balances"}
    with consumer_of(kafka, balances_database, topic, **member) as worker:
        eventually(lambda: step(worker) == 0 and len(worker.assignment.positions) == 2)
        if not while_stopped:
            remake(admin, topic)
            read_announcement(worker, send, topic)
    if while_stopped:
        remake(admin, topic)
        with consumer_of(kafka, balances_database, topic, **member) as worker:
            read_announcement(worker, send, topic)

    assert balances_in(balances_database) == {"ana": 10}


def read_announcement(worker, send, topic):
    send(topic, balance_announced("ana", 10), headers=numbered(10))

    eventually(lambda: step(worker), seconds=40)
    eventually(lambda: step(worker) == 0 and set(worker.assignment.positions) == {Partition(topic, 0)}, seconds=40)


def test_a_truncated_log_is_read_from_its_beginning(kafka, send, topic, balances_database):
    send(topic, balance_announced("ana", 10), headers=numbered(10))
    with consumer_of(kafka, balances_database, topic) as worker:
        consume(worker, 1)
    execute(balances_database, "DELETE FROM balances")
    execute(balances_database, "UPDATE consumer_offsets SET next_offset = 1000")  # the log held more than it does now

    with consumer_of(kafka, balances_database, topic) as worker:
        consume(worker, 1)

    assert balances_in(balances_database) == {"ana": 10}
    assert offsets_in(balances_database) == {0: 1}


def test_records_removed_before_they_were_read_require_an_announcement(kafka, admin, send, topic, balances_database):
    with consumer_of(kafka, balances_database, topic) as worker:
        initialize(worker)
    for balance in (10, 20, 30):
        send(topic, balance_announced(f"account {balance}", balance), headers=numbered(balance))
    admin.delete_records({TopicPartition(topic, 0): 2})

    with consumer_of(kafka, balances_database, topic) as worker:
        consume(worker, 1)

    assert balances_in(balances_database) == {"account 30": 30}
    assert announce_required(balances_database)


def test_a_log_whose_beginning_was_never_read_requires_an_announcement(kafka, admin, send, topic, balances_database):
    for balance in (10, 20):
        send(topic, balance_announced(f"account {balance}", balance), headers=numbered(balance))
    admin.delete_records({TopicPartition(topic, 0): 1})

    with consumer_of(kafka, balances_database, topic) as worker:
        consume(worker, 1)

    assert balances_in(balances_database) == {"account 20": 20}
    assert announce_required(balances_database)


def test_the_holes_that_transactions_leave_in_a_log_are_no_gap(kafka, worker, topic, balances_database):
    producer = KafkaProducer(**kafka, transactional_id=topic)
    producer.init_transactions()
    for balance in (10, 20, 30):
        producer.begin_transaction()
        producer.send(topic, balance_announced("ana", balance), headers=numbered(balance))
        producer.commit_transaction()
    producer.close()

    consume(worker, 3)

    assert balances_in(balances_database) == {"ana": 30}
    assert not announce_required(balances_database)


class Transactions:
    """A transactional producer of balances of Ana."""

    def __init__(self, kafka, topic):
        self.producer, self._topic, self._sequence = KafkaProducer(**kafka, transactional_id=topic), topic, 0
        self.producer.init_transactions()

    def write(self, balance):
        self._sequence += 1
        value, headers = balance_announced("ana", balance), numbered(self._sequence)
        self.producer.send(self._topic, value, headers=headers).get(timeout=10)


@pytest.fixture
def transactions(kafka, topic):
    with closing(KafkaProducer(**kafka)):
        opened = Transactions(kafka, topic)
        yield opened
        opened.producer.close()


def test_an_open_and_an_aborted_transaction_are_not_applied(worker, transactions, balances_database, topic):
    transactions.producer.begin_transaction()
    transactions.write(10)
    transactions.producer.commit_transaction()
    consume(worker, 1)
    transactions.producer.begin_transaction()
    transactions.write(666)

    while_open = [worker.consume_batch() for _ in range(3)]
    transactions.producer.abort_transaction()
    after_it = [worker.consume_batch() for _ in range(3)]

    assert while_open + after_it == [0] * 6
    assert balances_in(balances_database) == {"ana": 10}


def test_the_marker_of_a_transaction_at_the_end_of_the_log_is_no_lag(
    kafka, admin, transactions, balances_database, topic
):
    status = WorkerStatus()
    with consumer_of(kafka, balances_database, topic, status=status) as worker:
        initialize(worker)
        for end in (transactions.producer.commit_transaction, transactions.producer.abort_transaction):
            transactions.producer.begin_transaction()
            transactions.write(10)
            end()

        def caught_up():
            step(worker)
            return offsets_in(balances_database) == {0: 4} and status.read()["lag"] == 0

        eventually(caught_up)
        admin.delete_records({TopicPartition(topic, 0): 4})
    with consumer_of(kafka, balances_database, topic) as worker:
        initialize(worker)

    assert not announce_required(balances_database)


def test_a_hole_in_a_compacted_topic_requires_an_announcement(kafka, transactions, balances_database, topic):
    transactions.producer.begin_transaction()
    transactions.write(666)
    transactions.producer.abort_transaction()
    transactions.producer.begin_transaction()
    transactions.write(20)
    transactions.producer.commit_transaction()

    with consumer_of(kafka, balances_database, topic, compacted={topic}) as worker:
        consume(worker, 1)

    assert balances_in(balances_database) == {"ana": 20}
    assert announce_required(balances_database)


# ---- what it reports


def test_a_partition_that_a_foreign_member_holds_is_reported_as_stalled(kafka, send, topic, balances_database):
    group, status = f"test-{uuid4()}", WorkerStatus()
    foreign = consumer.create_kafka_consumer(kafka, Group(group, "0 foreign"))
    foreign.subscribe([topic])
    try:
        eventually(lambda: foreign.poll(timeout_ms=200) is not None and foreign.assignment())
        with consumer_of(kafka, balances_database, topic, group=group, instance="1 ours", status=status) as worker:
            send(topic, transfer(900, 1100), headers=numbered(1))

            def stalled():
                foreign.poll(timeout_ms=100)
                step(worker)
                return status.read().get("stalled")

            eventually(stalled, seconds=40)
            facts = status.read()
    finally:
        foreign.close(timeout_ms=2000)

    assert (facts["consumer"], facts["lag"]) == ("waiting_for_assignment", 1)
    assert [(each["consumed"], each["stalled"]) for each in facts["partitions"]] == [(False, True)]


def test_deleted_topics_are_reported(kafka, admin, make_topic, balances_database):
    status, topic = WorkerStatus(), make_topic()
    with consumer_of(kafka, balances_database, topic, status=status) as worker:
        initialize(worker)
        admin.delete_topics([topic])

        def missing():
            step(worker)
            return f"topic {topic} does not exist" in status.read()["problems"]

        eventually(missing, seconds=30)
    admin.create_topics({topic: {"num_partitions": 1, "replication_factor": 1}})


def test_five_thousand_partitions_fit_into_the_status():
    status = WorkerStatus()
    progress = Progress()
    partitions = [Partition(f"topic-{'x' * 200}-{number % 2}", number) for number in range(5_000)]
    progress.observe(dict.fromkeys(partitions, 7), {}, asked_at=1_795_000_000.0)

    status.write(progress.snapshot(partitions, now=1_795_000_001.0))

    facts = status.read()
    assert (facts["lag"], facts["partitions_total"], len(facts["partitions"])) == (35_000, 5_000, LISTED)


def remake(admin, topic):
    def made():
        try:
            return admin.create_topics({topic: {"num_partitions": 1, "replication_factor": 1}})
        except TopicAlreadyExistsError:  # the old one is still on its way out
            return None

    admin.delete_topics([topic])
    eventually(made)
