"""A topic with 2,000 partitions: the most that the broker of the tests, with its 256 MiB, creates in a short time."""

from contextlib import closing
from uuid import uuid4

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from common.events.progress import LISTED
from common.worker_status import WorkerStatus
from tests.events import balance_announced
from tests.eventually import eventually
from tests.integration.consumers import consume, consumer_of, step
from tests.integration.tables import rows, value

PARTITIONS = 2_000
WITH_RECORDS = [0, 7, 1_234, PARTITIONS - 1]
CREATION_SECONDS, START_SECONDS = 240, 120

pytestmark = [pytest.mark.slow, pytest.mark.timeout(CREATION_SECONDS + 2 * START_SECONDS)]


@pytest.fixture
def topic(admin, kafka):
    topic = f"test-{uuid4()}"
    small_indexes = {"segment.index.bytes": "4096"}  # the broker allocates them in advance
    admin.create_topics({topic: {"num_partitions": PARTITIONS, "replication_factor": 1, "configs": small_indexes}})
    partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    with closing(KafkaConsumer(**kafka)) as consumer:

        def all_have_a_leader():
            try:
                return consumer.end_offsets(partitions, timeout_ms=5_000)
            except KafkaError:
                return None

        eventually(all_have_a_leader, seconds=CREATION_SECONDS)
    yield topic
    admin.delete_topics([topic])


def publish(kafka, topic, balance):
    with closing(KafkaProducer(**kafka, acks="all")) as producer:
        for number in WITH_RECORDS:
            producer.send(topic, balance_announced(f"account {number}", balance), partition=number)
        producer.flush(timeout=30)


def test_two_thousand_partitions_are_initialized_reported_and_consumed_also_after_a_restart(
    kafka, topic, balances_database, caplog
):
    publish(kafka, topic, balance=1)
    status = WorkerStatus()
    with (
        caplog.at_level("INFO", logger="consumer"),
        consumer_of(kafka, balances_database, topic, status=status) as worker,
    ):

        def all_is_applied():
            step(worker)
            facts = status.read()
            return facts if (facts["lag"], facts["partitions_total"]) == (0, PARTITIONS) else None

        facts = eventually(all_is_applied, seconds=START_SECONDS)
    with consumer_of(kafka, balances_database, topic) as worker:
        publish(kafka, topic, balance=2)
        consume(worker, len(WITH_RECORDS))

    starts = [record for record in caplog.records if record.message == "first read"]
    assert (facts["consumer"], facts["partitions_consumed"], len(facts["partitions"])) == (
        "consuming",
        PARTITIONS,
        LISTED,
    )
    assert [(record.count, len(record.partitions)) for record in starts] == [(PARTITIONS, 10)]
    assert value(balances_database, "SELECT SUM(next_offset) FROM consumer_offsets") == 2 * len(WITH_RECORDS)
    assert dict(rows(balances_database, "SELECT account_id, balance FROM balances")) == {
        f"account {number}": 2 for number in WITH_RECORDS
    }
