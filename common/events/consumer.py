"""Feeds a projection from Kafka. A record is applied if and only if its offset is stored, even after a crash.

The offsets are in MySQL, in the projection's own transaction. Kafka's group only assigns the partitions. A resent event
is a new record. Absolute values need a sequence guard; sums need common.events.inbox.
"""

import logging
import sys
import time
from collections.abc import Collection, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from threading import Event as StopEvent
from typing import Any, Generic, TypeVar

from kafka import KafkaConsumer
from kafka.errors import KafkaError

from common.events import dead_letters
from common.events.assignment import Assignment, Batch
from common.events.consumed import header_values
from common.events.offsets import OffsetMoved, Partition
from common.events.probe import Probe
from common.events.projection import BatchTransaction, Outcome, Projection
from common.events.state import Report
from common.kafka import REFUSALS, NotAuthorized, Topics
from common.kafka_internals import accept_any_header_names
from common.mysql import Conflict, Database, DatabaseUnavailable
from common.worker_status import WorkerStatus

__all__ = ["Consumer", "Group", "Projection", "create_kafka_consumer", "run"]

POLL_RECORDS = 10_000  # large enough for a complete fetch: records left in the buffer delay fetches of other partitions
FETCH_BYTES = 2 * 1024 * 1024
FETCH_WAIT_MS = 100
# After a crash others take over within 8 s: the session timeout, then their next heartbeat and the rebalance.
SESSION_MS, HEARTBEAT_MS = 6_000, 1_000
METADATA_MS = 5_000  # a re-created topic seems to be the old one for so long
PROBE_SECONDS = 1  # between two probes, as in the relay
COPY_SECONDS = 1  # between two copies of the stored offsets to Kafka, which only tools that show lag read
FORGET_SECONDS = 60  # between two deletions of dead letters that were decided long ago
RETRY_SECONDS = 0.5
# How long this thread may hold the GIL while HTTP threads wait for it. During a backlog the shorter switch interval
# lowers the p99 of GETs from 136 to 44 ms. Without a backlog, it would cost 10 % of the throughput of GETs.
BACKLOG_RECORDS, BACKLOG_SWITCH_SECONDS, SWITCH_SECONDS = 500, 0.0001, sys.getswitchinterval()

log = logging.getLogger("consumer")

E = TypeVar("E")


@dataclass(frozen=True)
class Group:
    """Group name, static member id, and the settings of topics to create."""

    name: str
    instance: str
    partitions: int = 1
    replication: int = 1


def run(
    stop: StopEvent,
    database: Database,
    options: dict[str, Any],
    projection: Projection[Any],
    group: Group,
    status: WorkerStatus,
) -> None:
    """Consume the topics until `stop`.

    Retries during outages. Errors of the Kafka client, and NotAuthorized, end `run`; the caller restarts it.
    """
    compacted = _await_topics(stop, options, projection.topics, group, status)
    if stop.is_set():
        return
    kafka_consumer = create_kafka_consumer(options, group)
    try:
        consumer = Consumer(kafka_consumer, database, projection, status, compacted)
        kafka_consumer.subscribe(projection.topics, listener=consumer.assignment)
        while not stop.is_set():
            backlog = consumer.consume_batch() >= BACKLOG_RECORDS
            sys.setswitchinterval(BACKLOG_SWITCH_SECONDS if backlog else SWITCH_SECONDS)
            consumer.maintain()
            if consumer.mysql in ("down", "read_only"):
                stop.wait(RETRY_SECONDS)
    except REFUSALS as error:
        raise NotAuthorized(error, projection.topics, group.name) from error
    finally:
        sys.setswitchinterval(SWITCH_SECONDS)
        kafka_consumer.close(timeout_ms=2000)


def create_kafka_consumer(options: dict[str, Any], group: Group) -> KafkaConsumer:
    """A KafkaConsumer with the options that `Consumer` needs. The caller subscribes and closes it."""
    accept_any_header_names()
    return KafkaConsumer(
        **{**options, "metadata_max_age_ms": METADATA_MS},
        group_id=group.name,
        group_instance_id=group.instance,
        session_timeout_ms=SESSION_MS,
        heartbeat_interval_ms=HEARTBEAT_MS,
        enable_auto_commit=False,
        auto_offset_reset="earliest",  # only for an offset that Kafka lacks: MySQL's offset is where to begin
        isolation_level="read_committed",  # aborted and open transactions are not applied
        max_poll_records=POLL_RECORDS,
        max_partition_fetch_bytes=FETCH_BYTES,
        fetch_max_wait_ms=FETCH_WAIT_MS,
        fetch_min_bytes=1,
        check_crcs=True,
        # No deserializer: after an exception in one, the client repeats the same fetch without end.
    )


class Consumer(Generic[E]):
    """One member of the group: consumes batches, and reports how far it is."""

    def __init__(
        self,
        kafka_consumer: KafkaConsumer,
        database: Database,
        projection: Projection[E],
        status: WorkerStatus,
        compacted: Collection[str] = (),
    ) -> None:
        self._report = Report(status, compacted)
        restarted = bool(self._report.failing)
        self.assignment = Assignment(kafka_consumer, projection.topics, compacted, restarted)
        self.database = database
        self._projection = projection
        self._state = self._report.restore()
        self._probe = Probe(kafka_consumer, projection.topics, self.assignment, self._state)
        self._probe_at = self._copy_at = 0.0
        self._forget_at = time.monotonic()

    @property
    def mysql(self) -> str:
        """unknown, up, down, or read_only while reading works and writing does not."""
        return self._state.mysql

    def consume_batch(self) -> int:
        """Apply the records of one poll with offsets and dead letters in one transaction; return how many records."""
        try:
            batches = self.assignment.poll()
        except KafkaError as error:
            if not error.retriable:
                raise
            batches = {}  # a lost connection, for one: the probe finds out whether Kafka is unavailable
        records = self._apply(batches) if batches else 0
        # Last: `poll` may have assigned partitions, and `_apply` may have invalidated positions.
        self._initialize()
        return records

    def maintain(self) -> None:
        """Probe MySQL and Kafka, delete old dead letters, publish the status. Called between two batches."""
        now = time.monotonic()
        if now >= self._probe_at:
            # The interval starts before the probe. While Kafka does not answer, a probe takes longer than that, so only
            # one poll runs before the next probe. More polls would only add requests to the client's memory.
            self._probe_at = now + PROBE_SECONDS
            self._report.publish(self._state, self.assignment)  # the probe may wait for Kafka
            self.probe()
        if now >= self._forget_at and self.mysql == "up":
            self._forget_at = now + FORGET_SECONDS  # also after a failure
            with suppress(DatabaseUnavailable, Conflict), self.database.transaction() as cursor:
                dead_letters.forget_decided(cursor)
        self._report.publish(self._state, self.assignment)

    def probe(self) -> None:
        """Find out how far the projection and the logs are, and store positions that moved without a record."""
        kafka_and_mysql_answered = self._probe.run(self.database)
        if kafka_and_mysql_answered:
            if skipped := self.assignment.skipped():
                self._apply(skipped)
            self.assignment.copy_offsets_to_kafka()

    def _apply(self, batches: dict[Partition, Batch]) -> int:
        started = time.perf_counter()
        try:
            outcome = BatchTransaction(self._projection, batches, self.assignment.positions).run(self.database)
        except OffsetMoved as moved:
            log.warning(
                "batch discarded: the stored offset moved (another consumer committed)", extra={"reason": str(moved)}
            )
            self.assignment.invalidate(batches)
            return 0
        except (DatabaseUnavailable, Conflict) as error:
            self.assignment.invalidate(batches)  # after OutcomeUnknown the stored offset shows what was committed
            self._state.mysql_writes_fail = isinstance(error, DatabaseUnavailable)
            return 0
        self._committed(batches, outcome)
        records = [record for batch in batches.values() for record in batch.records]
        if records:
            log.info(
                "batch",
                extra={
                    "records": len(records),
                    "parked": outcome.parked,
                    "duration_ms": round((time.perf_counter() - started) * 1000, 1),
                    "request_ids": header_values(records, "request_id"),
                    "traceparents": header_values(records, "traceparent"),
                },
            )
        return len(records)

    def _committed(self, batches: dict[Partition, Batch], outcome: Outcome) -> None:
        self.assignment.applied(batches)
        self._state.progress.applied(
            {partition: batch.next_offset for partition, batch in batches.items()},
            {partition: batch.records[-1].timestamp for partition, batch in batches.items() if batch.records},
            outcome._asdict(),
            time.time(),
        )
        self._state.mysql_reads, self._state.mysql_writes_fail, self._state.kafka = "up", False, "up"
        if time.monotonic() >= self._copy_at:
            self._copy_at = time.monotonic() + COPY_SECONDS
            self.assignment.copy_offsets_to_kafka()

    def _initialize(self) -> None:
        try:
            if self.assignment.initialize(self.database) and self.assignment.joined:
                self._state.positioned = True
        except REFUSALS:
            raise
        except KafkaError:
            self._state.kafka = "down"
        except Conflict:
            pass  # another consumer initializes the same partition: the next batch tries again
        except DatabaseUnavailable:
            self._state.mysql_reads = "down"


def _await_topics(
    stop: StopEvent, options: dict[str, Any], names: Sequence[str], group: Group, status: WorkerStatus
) -> frozenset[str]:
    """Wait for Kafka, create the missing topics; return the compacted ones."""
    known, reported = status.read(), ""
    with closing(Topics(options, names, group.partitions, group.replication)) as topics:
        while not stop.is_set():
            try:
                topics.ensure()
                return topics.compacted()
            except KafkaError as error:
                reason = str(error)[:200]
                status.write({**known, "consumer": "waiting_for_kafka", "kafka": "down", "problems": [reason]})
                if reason != reported:
                    log.warning("Kafka is unavailable", extra={"reason": reason})
                reported = reason
                stop.wait(RETRY_SECONDS)
    return frozenset()
