"""Moves the events of the outbox to Kafka: in order, at least once. One relay is the leader, however many run."""

import logging
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from threading import Event as StopEvent
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError, MessageSizeTooLargeError

from common.events import known_server
from common.events.idempotency import IdempotencyKeys
from common.events.lease import Lease
from common.events.outbox import Outbox, Row
from common.kafka import Topics
from common.kafka_internals import discard_producer
from common.mysql import Conflict, Connection, Database, DatabaseUnavailable, own_errors
from common.status import Status
from common.wakeup import WakeupEvent

BATCH_ROWS = 2000
# Between the starts of two batches: a millisecond for each row of the first, so that under load a batch carries many
# rows for the price of one (13 % more transfers a second than with 10 ms), and at rest no row waits.
SECONDS_PER_ROW, BATCH_SECONDS = 0.001, 0.025
POLL_INTERVAL_SECONDS = 0.5  # how often the outbox is read when nothing notifies the relay
PROBE_SECONDS = 2  # how often Kafka is asked for the topics when nothing is sent
BLOCK_MS = 3_000  # for the first metadata of a topic
# An outage of Kafka is to be seen in /ready within 5 s, also when it begins while events are in flight.
REQUEST_MS, DELIVERY_MS = 3_000, 4_000
ACK_SECONDS = 4.5  # longer than DELIVERY_MS
RETRY_SECONDS = 1
EXPIRED_AT_ONCE, EXPIRE_SECONDS = 500, 60

log = logging.getLogger("relay")


class Unacknowledged(Exception):
    """Kafka did not acknowledge every event in time; the producer may still hold some of them."""


class EventTooLarge(Unacknowledged):
    """Kafka refuses an event for its size. Events behind it wait, because their order is promised."""

    def __init__(self, row: Row) -> None:
        super().__init__(
            f"the event of outbox row {row.id} has {len(row.value.encode())} bytes, more than topic {row.topic}"
            " accepts: raise max.message.bytes of the topic"
        )


@dataclass
class Relay:
    """`run` is the loop of a background thread; `status` is what it last reported of itself."""

    database: Database
    options: dict[str, Any]  # of a Kafka client
    topics: Sequence[str]
    partitions: int  # of a topic that does not exist yet
    replication: int
    wakeup: WakeupEvent
    status: Status
    _lease: Lease = field(default_factory=lambda: Lease("relay"))
    _reported: dict[str, str] = field(default_factory=lambda: {"relay": "starting", "kafka": "unknown"})

    def run(self, stop: StopEvent) -> None:
        """Relay batch after batch while this relay is the leader; wait out every outage of MySQL or Kafka."""
        while not stop.is_set():
            try:
                with closing(self.database.connect()) as connection, own_errors():
                    self._notice_another_server(connection)
                    self._run_connected(stop, connection)
            except (DatabaseUnavailable, Conflict) as error:
                self._report(relay="waiting_for_mysql", reason=str(error))
                stop.wait(RETRY_SECONDS)

    def _run_connected(self, stop: StopEvent, connection: Connection) -> None:
        while not stop.is_set():
            try:
                with closing(Topics(self.options, self.topics, self.partitions, self.replication)) as topics:
                    topics.ensure()
                    self._run_in_turn(stop, connection, topics)
            except (KafkaError, Unacknowledged) as error:
                self._report(relay="waiting_for_kafka", kafka="down", reason=str(error))
                stop.wait(RETRY_SECONDS)
            finally:
                self._lease.release(connection)  # another relay may reach Kafka, or this one has ended

    def _run_in_turn(self, stop: StopEvent, connection: Connection, topics: Topics) -> None:
        """Lead while no other relay does; be on standby otherwise. Raises when Kafka cannot be reached."""
        producer = None
        probe_at = expire_at = time.monotonic() + PROBE_SECONDS
        try:
            while not stop.is_set():
                started = time.monotonic()
                relayed = 0
                if self._lease.hold(connection):
                    producer = producer or _producer(self.options)
                    relayed = relay_batch(connection, producer)
                    self._report(relay="leader", kafka="up")
                else:
                    self._report(relay="standby", kafka="up")
                if relayed:
                    log.info("batch", extra={"relayed": relayed})
                    probe_at = time.monotonic() + PROBE_SECONDS
                    batch_ends = started + min(relayed * SECONDS_PER_ROW, BATCH_SECONDS)
                    stop.wait(max(0, batch_ends - time.monotonic()))
                    continue
                if time.monotonic() >= probe_at:
                    topics.ensure()
                    probe_at = time.monotonic() + PROBE_SECONDS
                if time.monotonic() >= expire_at:
                    _forget_expired_keys(connection)
                    expire_at = time.monotonic() + EXPIRE_SECONDS
                self.wakeup.wait(POLL_INTERVAL_SECONDS)
        finally:
            if producer:
                discard_producer(producer)

    def _notice_another_server(self, connection: Connection) -> None:
        with connection.cursor() as cursor:
            if known_server.notice(cursor):
                log.warning(
                    "the database is served by another server than before; its newest transactions may be missing",
                    extra={"announce_required": True},
                )

    def _report(self, reason: str | None = None, **facts: str) -> None:
        """Publish the status; log it when it changed."""
        changed = {name: value for name, value in facts.items() if self._reported.get(name) != value}
        self._reported.update(facts)
        self.status.write({**self._reported, "problems": [reason[:200]] if reason else []})
        if changed:
            extra = {**changed, "reason": reason[:200]} if reason else changed
            log.log(logging.WARNING if reason else logging.INFO, "relay", extra=extra)


def relay_batch(connection: Connection, producer: KafkaProducer) -> int:
    """Publish the oldest events and remove those acknowledged; give how many.

    No transaction is open while Kafka answers. A crash between the two leaves the events to be published again:
    consumers see them at least once. Raises Unacknowledged, after removing what was acknowledged, when some were not;
    the producer must then be discarded, or it could send later what the next one sends too.
    """
    with connection.cursor() as cursor:
        rows = Outbox(cursor).oldest(BATCH_ROWS)
    if not rows:
        return 0
    deadline = time.monotonic() + ACK_SECONDS
    futures = []
    failure: KafkaError | None = None
    for row in rows:
        try:
            futures.append(_send(producer, row))
        except MessageSizeTooLargeError as error:
            failure = error
            break
    acknowledged, unacknowledged = _await(futures, deadline)
    if acknowledged:
        with connection.cursor() as cursor:
            Outbox(cursor).remove([row.id for row in rows[:acknowledged]])
    if failure := unacknowledged or failure:
        if isinstance(failure, MessageSizeTooLargeError):
            raise EventTooLarge(rows[acknowledged]) from failure
        raise Unacknowledged(str(failure)) from failure
    return acknowledged


def _producer(options: dict[str, Any]) -> KafkaProducer:
    return KafkaProducer(
        **{**options, "request_timeout_ms": REQUEST_MS},
        acks="all",
        enable_idempotence=True,
        delivery_timeout_ms=DELIVERY_MS,
        max_block_ms=BLOCK_MS,
        linger_ms=0,
        allow_auto_create_topics=False,
    )


def _send(producer: KafkaProducer, row: Row) -> Any:
    # The id of a row without a sequence: the version that wrote it numbered its events so.
    sequence = row.id if row.sequence is None else row.sequence
    headers = [
        ("sequence", str(sequence).encode("ascii")),
        ("occurred_at", f"{row.created_at.isoformat(timespec='microseconds')}Z".encode("ascii")),
    ]
    if row.event_id:
        headers.append(("event_id", row.event_id.encode("ascii")))
    if row.request_id:
        headers.append(("request_id", row.request_id.encode("utf-8")))
    return producer.send(row.topic, value=row.value.encode("utf-8"), key=row.key.encode("utf-8"), headers=headers)


def _await(futures: Sequence[Any], deadline: float) -> tuple[int, KafkaError | None]:
    """(how many from the start were acknowledged, the first failure or None), once every future has a result."""
    acknowledged, failure = 0, None
    for future in futures:
        try:
            future.get(timeout=max(0, deadline - time.monotonic()))
        except KafkaError as error:
            failure = failure or error
        else:
            acknowledged += failure is None
    return acknowledged, failure


def _forget_expired_keys(connection: Connection) -> None:
    with connection.cursor() as cursor:
        while IdempotencyKeys(cursor).forget_expired(EXPIRED_AT_ONCE) == EXPIRED_AT_ONCE:
            pass
