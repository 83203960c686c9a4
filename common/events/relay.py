"""Moves the events of the outbox to Kafka: in order, at least once. One relay is the leader, however many run.

Needs the tables `outbox`, `leases`, `known_server` and `idempotency_keys`. The leader also deletes expired rows of
`idempotency_keys`.
"""

import logging
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from threading import Event as StopEvent
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError
from kafka.partitioner import DefaultPartitioner

from common.events import known_server
from common.events.idempotency import IdempotencyKeys
from common.events.lease import Lease
from common.events.publish import BATCH_ROWS, ClockRefused, EventTooLarge, TopicRefused, Unacknowledged, relay_batch
from common.events.published import PublishedEvents
from common.kafka import Topics
from common.kafka_internals import discard_producer
from common.mysql import Conflict, Connection, Database, DatabaseUnavailable, own_errors
from common.wakeup import WakeupEvent
from common.worker_status import WorkerStatus

__all__ = ["BATCH_ROWS", "Relay", "Unacknowledged", "relay_batch"]

# Interval between batch starts: 1 ms per row of the earlier batch, at most 25 ms. Under load each batch then has more
# rows: throughput is 13 % higher than with 10 ms. When idle, no row waits.
SECONDS_PER_ROW, BATCH_SECONDS = 0.001, 0.025
# How often the relay reads the outbox without a notification. After a COMMIT with unknown outcome there is none.
POLL_INTERVAL_SECONDS = 0.5
# /ready reports an outage of Kafka within 5 s, both when idle and when events are in flight. When idle, the relay
# requests the topics twice a second. That request fails after common.kafka.REQUEST_MS.
KAFKA_PROBE_SECONDS = 0.5
BLOCK_MS = 3_000  # for the first metadata of a topic
PRODUCER_REQUEST_MS, DELIVERY_MS = 3_000, 4_000  # within common.events.publish.ACK_SECONDS
RETRY_SECONDS = 1
EXPIRED_KEYS_AT_ONCE, EXPIRE_KEYS_SECONDS = 500, 60
REASON_CHARACTERS = 500

log = logging.getLogger("relay")


@dataclass
class Relay:
    """`run` is the loop of a background thread, which reports to `status`."""

    database: Database
    options: dict[str, Any]  # of a Kafka client
    topics: Sequence[str]
    partitions: int  # of a topic that does not exist yet
    replication: int
    wakeup: WakeupEvent
    status: WorkerStatus
    published: PublishedEvents | None = None  # records published events for GET /events
    _lease: Lease = field(default_factory=lambda: Lease("relay"))
    _batch_rows: int = BATCH_ROWS
    _expire_keys_at: float = 0.0
    _logged: tuple[object, ...] = ()

    def run(self, stop: StopEvent) -> None:
        """Publish batches while this relay is the leader. Retries during outages of MySQL and Kafka."""
        while not stop.is_set():
            try:
                with closing(self.database.connect()) as connection, own_errors():
                    self._notice_another_server(connection)
                    self._run_connected(stop, connection)
            except (DatabaseUnavailable, Conflict) as error:
                self._report(relay="waiting_for_mysql", kafka="unknown", reason=str(error))
                stop.wait(RETRY_SECONDS)

    def _run_connected(self, stop: StopEvent, connection: Connection) -> None:
        while not stop.is_set():
            try:
                with closing(Topics(self.options, self.topics, self.partitions, self.replication)) as topics:
                    topics.ensure()
                    self._run_while_kafka_answers(stop, connection, topics)
            except (KafkaError, Unacknowledged) as error:
                self._report(relay="waiting_for_kafka", kafka="down", reason=str(error) or type(error).__name__)
                self._lease.release(connection)  # another relay may reach Kafka
                stop.wait(RETRY_SECONDS)
        self._lease.release(connection)

    def _run_while_kafka_answers(self, stop: StopEvent, connection: Connection, topics: Topics) -> None:
        """Retry the events that Kafka refuses. Raises KafkaError or Unacknowledged when Kafka does not answer."""
        while not stop.is_set():
            try:
                self._run_as_leader_or_standby(stop, connection, topics)
            except TopicRefused as error:
                remedy = "allow this user to write to the topic"
                if isinstance(error, ClockRefused):
                    remedy = "correct the clocks"
                elif isinstance(error, EventTooLarge):
                    remedy = f"raise its max.message.bytes, which is {topics.max_message_bytes(error.topic)}"
                self._report(relay="leader", kafka="up", reason=f"{error}: {remedy}; later events wait")
                stop.wait(RETRY_SECONDS)

    def _run_as_leader_or_standby(self, stop: StopEvent, connection: Connection, topics: Topics) -> None:
        """Be the leader while no other relay is; be on standby otherwise.

        Raises TopicRefused when Kafka refuses an event, KafkaError or Unacknowledged when Kafka does not answer.
        """
        producer = None
        probe_at = time.monotonic() + KAFKA_PROBE_SECONDS
        try:
            while not stop.is_set():
                started = time.monotonic()
                relayed = 0
                if self._lease.hold(connection):
                    self._forget_expired_keys(connection)
                    producer = producer or _producer(self.options)
                    relayed = self._relay_batch(connection, producer)
                    self._report(relay="leader", kafka="up")
                else:
                    self._report(relay="standby", kafka="up", reason=self._lease.reason_of_long_wait(connection))
                if relayed:
                    log.info("batch", extra={"relayed": relayed})
                    probe_at = time.monotonic() + KAFKA_PROBE_SECONDS
                    batch_ends = started + min(relayed * SECONDS_PER_ROW, BATCH_SECONDS)
                    stop.wait(max(0, batch_ends - time.monotonic()))
                    continue
                if time.monotonic() >= probe_at:
                    topics.ensure()
                    probe_at = time.monotonic() + KAFKA_PROBE_SECONDS
                self.wakeup.wait(POLL_INTERVAL_SECONDS)
        finally:
            if producer:
                discard_producer(producer)

    def _relay_batch(self, connection: Connection, producer: KafkaProducer) -> int:
        rows = self._batch_rows
        # Set to 1 first, so that a failure leaves 1: the relay then retries a single event until Kafka acknowledges it.
        # With several events, each retry would publish those after the refused one again.
        self._batch_rows = 1
        relayed = relay_batch(connection, producer, rows, self.published)
        self._batch_rows = BATCH_ROWS
        return relayed

    def _forget_expired_keys(self, connection: Connection) -> None:
        if time.monotonic() >= self._expire_keys_at:
            with connection.cursor() as cursor:
                more = IdempotencyKeys(cursor).forget_expired(EXPIRED_KEYS_AT_ONCE) == EXPIRED_KEYS_AT_ONCE
            self._expire_keys_at = time.monotonic() + (0 if more else EXPIRE_KEYS_SECONDS)

    def _notice_another_server(self, connection: Connection) -> None:
        with connection.cursor() as cursor:
            if known_server.notice(cursor):
                log.warning(
                    "the database is served by another server than before; its newest transactions may be missing",
                    extra={"announce_required": True},
                )

    def _report(self, relay: str, kafka: str, reason: str = "") -> None:
        """Publish the status. Log only a changed state; a different reason alone is not logged.

        `reason`: why no event is sent.
        """
        facts = {"relay": relay, "kafka": kafka}
        if (state := (*facts.values(), bool(reason))) != self._logged:
            extra = {**facts, "reason": reason[:REASON_CHARACTERS]} if reason else facts
            log.log(logging.WARNING if reason else logging.INFO, "relay status changed", extra=extra)
        self._logged = state
        problems = [reason[:REASON_CHARACTERS]] if reason else []
        # Each reason stops the relay, so both fields hold the same text. In the consumer they differ.
        self.status.write({**facts, **({"failing": problems[0]} if problems else {}), "problems": problems})


class _Partitioner(DefaultPartitioner):  # type: ignore[misc]  # kafka-python has no types
    """Hashes the key, except for a topic of one partition: a hash in Python costs a tenth of sending the event."""

    def partition(self, topic: str, *rest: Any) -> int:
        partitions = rest[-1].partitions_for_topic(topic)  # of the cluster's metadata
        if partitions and len(partitions) == 1:
            (partition,) = partitions
            return int(partition)
        return int(super().partition(topic, *rest))


def _producer(options: dict[str, Any]) -> KafkaProducer:
    return KafkaProducer(
        **{**options, "request_timeout_ms": PRODUCER_REQUEST_MS},
        acks="all",
        enable_idempotence=True,
        delivery_timeout_ms=DELIVERY_MS,
        max_block_ms=BLOCK_MS,
        linger_ms=0,
        partitioner=_Partitioner(),
        allow_auto_create_topics=False,
    )
