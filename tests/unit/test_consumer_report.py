"""When the consumer reports what it knows."""

from types import SimpleNamespace
from typing import Any

from common.events.consumer import Consumer, Projection
from common.worker_status import WorkerStatus


def test_an_outage_that_is_known_is_reported_before_a_probe_waits_for_kafka() -> None:
    status, nothing = WorkerStatus(), Any
    client: Any = SimpleNamespace(assignment=set, paused=set)
    database: Any = None
    consumer = Consumer(client, database, Projection(["orders"], parse=nothing, apply=nothing), status)
    reported_when_probing = []
    consumer.probe = lambda: reported_when_probing.append(status.read().get("kafka"))  # type: ignore[method-assign]
    consumer._state.kafka = "down"

    consumer.maintain()

    assert reported_when_probing == ["down"]
