"""What the consumer does and reports when Kafka fails."""

from types import SimpleNamespace
from typing import Any

import pytest
from kafka.errors import FencedInstanceIdError, KafkaConnectionError, KafkaError

from common.events.consumer import Consumer, Projection
from common.worker_status import WorkerStatus


@pytest.fixture
def status() -> WorkerStatus:
    return WorkerStatus()


@pytest.fixture
def consumer(status: WorkerStatus) -> Consumer[Any]:
    """A consumer without a partition, of a client that has no server."""
    unused: Any = None
    client: Any = SimpleNamespace(assignment=set, paused=set)
    return Consumer(client, unused, Projection(["orders"], parse=unused, apply=unused), status)


def test_an_outage_that_is_known_is_reported_before_a_probe_waits_for_kafka(
    consumer: Consumer[Any], status: WorkerStatus, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported_when_probing = []
    monkeypatch.setattr(consumer, "probe", lambda: reported_when_probing.append(status.read().get("kafka")))
    consumer._state.kafka = "down"

    consumer.maintain()

    assert reported_when_probing == ["down"]


@pytest.fixture
def poll_raises(consumer: Consumer[Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    def poll(error: KafkaError) -> None:
        def raising() -> None:
            raise error

        monkeypatch.setattr(consumer.assignment, "poll", raising)
        monkeypatch.setattr(consumer.assignment, "initialize", lambda database: True)

    return poll


def test_a_connection_that_is_lost_during_a_poll_does_not_end_the_worker(
    consumer: Consumer[Any], poll_raises: Any
) -> None:
    poll_raises(KafkaConnectionError("socket disconnected"))

    assert consumer.consume_batch() == 0


def test_an_error_that_no_retry_cures_ends_the_worker(consumer: Consumer[Any], poll_raises: Any) -> None:
    poll_raises(FencedInstanceIdError())

    with pytest.raises(FencedInstanceIdError):
        consumer.consume_batch()
