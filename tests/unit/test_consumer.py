"""What the consumer does and reports when Kafka fails."""

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.errors import FencedInstanceIdError, KafkaConnectionError, KafkaError, KafkaTimeoutError

from common.events.consumer import Consumer, Projection
from common.mysql import DatabaseUnavailable
from common.worker_status import WorkerStatus

TP = TopicPartition("orders", 0)


class Unreachable:
    """A KafkaConsumer with one partition that is not initialized, of a broker that does not answer any more."""

    def __init__(self, status: WorkerStatus) -> None:
        self.error: KafkaError = KafkaConnectionError("socket disconnected")
        self.reported: list[str | None] = []  # the status of Kafka at each request for the end of the log
        self.status = status
        self._cluster = SimpleNamespace(
            _lock=nullcontext(),
            unauthorized_topics=set(),
            partitions_for_topic=lambda topic: {0},
            leader_for_partition=lambda tp: 1,
            topic_id=lambda topic: "T1",
        )

    def poll(self, timeout_ms: int) -> Any:
        raise self.error

    def end_offsets(self, partitions: Any, timeout_ms: int) -> Any:
        self.reported.append(self.status.read().get("kafka"))
        raise KafkaTimeoutError

    def assignment(self) -> set[TopicPartition]:
        return {TP}


class ReadOnly:
    """A database without any stored offset."""

    def read(self, query: Any, topics: Any) -> dict[Any, Any]:
        return {}

    def transaction(self) -> Any:
        raise DatabaseUnavailable


@pytest.fixture
def client() -> Unreachable:
    return Unreachable(WorkerStatus())


@pytest.fixture
def consumer(client: Unreachable) -> Consumer[Any]:
    unused: Any = None
    database: Any = ReadOnly()
    return Consumer(client, database, Projection(["orders"], parse=unused, apply=unused), client.status)


def test_an_outage_that_is_known_is_reported_before_a_probe_waits_for_kafka(
    consumer: Consumer[Any], client: Unreachable
) -> None:
    consumer.consume_batch()

    consumer.maintain()

    assert client.reported == [None, "down"]


def test_a_connection_that_is_lost_during_a_poll_does_not_end_the_worker(consumer: Consumer[Any]) -> None:
    assert consumer.consume_batch() == 0


def test_an_error_that_no_retry_cures_ends_the_worker(consumer: Consumer[Any], client: Unreachable) -> None:
    client.error = FencedInstanceIdError()

    with pytest.raises(FencedInstanceIdError):
        consumer.consume_batch()
