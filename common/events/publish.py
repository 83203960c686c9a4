"""Publishes one batch of the outbox: in order, at least once."""

import time
from collections.abc import Sequence
from typing import Any

from kafka import KafkaProducer
from kafka.errors import (
    ClusterAuthorizationFailedError,
    InvalidTimestampError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)

from common.events.outbox import Outbox, Row
from common.events.published import PublishedEvents
from common.mysql import PROBE_SECONDS, Connection

BATCH_ROWS = 2000
ACK_SECONDS = 4.5  # longer than the producer tries to deliver an event


class Unacknowledged(Exception):
    """Kafka did not acknowledge every event in time; the producer may still hold some of them."""


class TopicRefused(Unacknowledged):
    """Kafka is available and refuses an event. Later events wait, because their order is promised."""

    def __init__(self, row: Row, reason: str) -> None:
        super().__init__(f"the event of outbox row {row.id}, key {row.key}, {reason}")
        self.topic = row.topic


class ClockRefused(TopicRefused):
    def __init__(self, row: Row) -> None:
        super().__init__(row, f"is refused by topic {row.topic}: the clocks of this service and of the broker differ")


class EventTooLarge(TopicRefused):
    def __init__(self, row: Row) -> None:
        super().__init__(row, f"has {len(row.value.encode())} bytes; topic {row.topic} does not accept it")


class NotAuthorized(TopicRefused):
    def __init__(self, row: Row) -> None:
        super().__init__(row, f"is refused: Kafka does not authorize this user to write to topic {row.topic}")


def relay_batch(
    connection: Connection,
    producer: KafkaProducer,
    limit: int = BATCH_ROWS,
    published: PublishedEvents | None = None,
) -> int:
    """Publish the oldest events, at most `limit`, and remove the acknowledged ones; return how many.

    No transaction is open while Kafka answers. A crash between the two steps leaves the events to be published again:
    consumers see them at least once. If an event was not acknowledged, removes those before it and raises
    Unacknowledged. The caller must then discard the producer, which could otherwise send late what the next one sends.
    """
    read_at = time.monotonic()
    with connection.within(PROBE_SECONDS), connection.cursor() as cursor:
        rows = Outbox(cursor).oldest(limit)
    if not rows:
        return 0
    deadline = time.monotonic() + ACK_SECONDS
    futures = []
    failure: KafkaError | None = None
    for row in rows:
        try:
            futures.append(_send(producer, row))
        except KafkaError as error:  # such as no metadata of the topic; the events in flight are awaited nevertheless
            failure = error
            break
    acknowledgements, unacknowledged = _await(futures, deadline)
    seconds, acknowledged = time.monotonic() - read_at, len(acknowledgements)
    if acknowledged:
        with connection.cursor() as cursor:
            Outbox(cursor).remove([row.id for row in rows[:acknowledged]])
        if published:
            published.add(rows[:acknowledged], acknowledgements, seconds)
    if failure := unacknowledged or failure:
        raise _named(failure, rows[acknowledged]) from failure
    return acknowledged


def _named(failure: KafkaError, row: Row) -> Unacknowledged:
    """The error to raise, which distinguishes a refusal from an outage; `row`: the first that was not acknowledged."""
    if isinstance(failure, (MessageSizeTooLargeError, RecordListTooLargeError)):
        return EventTooLarge(row)
    if isinstance(failure, (TopicAuthorizationFailedError, ClusterAuthorizationFailedError)):
        return NotAuthorized(row)
    if isinstance(failure, InvalidTimestampError):
        return ClockRefused(row)
    return Unacknowledged(str(failure) or type(failure).__name__)


def _send(producer: KafkaProducer, row: Row) -> Any:
    headers = [
        ("sequence", str(row.published_sequence).encode("ascii")),
        ("occurred_at", f"{row.created_at.isoformat(timespec='microseconds')}Z".encode("ascii")),
    ]
    if row.event_id:
        headers.append(("event_id", row.event_id.encode("ascii")))
    if row.request_id:
        headers.append(("request_id", row.request_id.encode("utf-8")))
    if row.traceparent:
        headers.append(("traceparent", row.traceparent.encode("ascii")))
    return producer.send(row.topic, value=row.value.encode("utf-8"), key=row.key.encode("utf-8"), headers=headers)


def _await(futures: Sequence[Any], deadline: float) -> tuple[list[Any], KafkaError | None]:
    """(acknowledgements up to the first failure, that failure or None), once every future has a result."""
    acknowledgements, failure = [], None
    for future in futures:
        try:
            acknowledgement = future.get(timeout=max(0, deadline - time.monotonic()))
        except KafkaError as error:
            failure = failure or error
        else:
            if failure is None:
                acknowledgements.append(acknowledgement)
    return acknowledgements, failure
