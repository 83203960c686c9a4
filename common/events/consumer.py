"""Feeds a projection from Kafka: each record is applied exactly when its offset is stored, whatever crashes.

The offsets are in MySQL, in the projection's own transaction. Kafka's group only assigns the partitions.
"""

import logging
import sys
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from threading import Event as StopEvent
from typing import Any, Generic, TypeVar

import pymysql
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from common.events import dead_letters, offsets
from common.events.assignment import REQUEST_MS, Assignment, Batch
from common.events.dead_letters import Parked, UnreadableRecord
from common.events.offsets import OffsetMoved, Partition
from common.events.progress import Progress
from common.kafka import Topics, unresolvable
from common.kafka_internals import accept_any_header_names, partitions_of, request_rejoin
from common.mysql import Conflict, Cursor, Database, DatabaseUnavailable
from common.status import Status

POLL_RECORDS = 10_000  # all of one fetch: what a poll leaves over holds up the fetch of the other partitions
FETCH_BYTES = 2 * 1024 * 1024
FETCH_WAIT_MS = 100
SESSION_MS, HEARTBEAT_MS = 6_000, 1_000  # the others of a group learn at a heartbeat that one is gone: 8 s in all
METADATA_MS = (
    5_000  # how late it is noticed that a topic was re-created: until then its offsets look like the old one's
)
PROBE_SECONDS = 2  # how often MySQL and Kafka are asked how far the projection and the log are
ASSIGNMENT_SECONDS = 8  # longer than a group takes to assign the partitions
REJOIN_SECONDS = 5  # between two checks for partitions that no member consumes
COMMIT_SECONDS = 1
FORGET_SECONDS = 60  # between two checks for dead letters that were settled long ago
RETRY_SECONDS = 0.5
# How long this thread may keep the interpreter from those that answer requests. Beside a backlog the shorter one brings
# the slowest hundredth of the GETs from 136 to 44 ms; without one it would cost them a tenth of their number.
BACKLOG_RECORDS, YIELD_SECONDS, SWITCH_SECONDS = 500, 0.0001, sys.getswitchinterval()

log = logging.getLogger("consumer")

E = TypeVar("E")


@dataclass(frozen=True)
class Projection(Generic[E]):
    """What the consumer feeds. `parse` raises UnreadableRecord; `apply` gives how many events were stale."""

    topics: Sequence[str]
    parse: Callable[[Any], Sequence[E]]
    apply: Callable[[Cursor, Sequence[E]], int]


@dataclass(frozen=True)
class Group:
    """How the consumer takes part: the group's name, this member's own, and how missing topics are created."""

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
    status: Status,
) -> None:
    """Consume the topics until `stop`; wait out every outage. An error of the client's own ends it: make a new one."""
    compacted = _await_topics(stop, options, projection.topics, group, status)
    if stop.is_set():
        return
    consumer = client(options, group)
    try:
        worker = Consumer(consumer, database, projection, status, compacted)
        consumer.subscribe(projection.topics, listener=worker.assignment)
        while not stop.is_set():
            backlog = worker.consume_batch() >= BACKLOG_RECORDS
            sys.setswitchinterval(YIELD_SECONDS if backlog else SWITCH_SECONDS)
            worker.maintain()
            if worker.mysql in ("down", "read_only"):
                stop.wait(RETRY_SECONDS)
    finally:
        sys.setswitchinterval(SWITCH_SECONDS)
        consumer.close(timeout_ms=2000)


def client(options: dict[str, Any], group: Group) -> KafkaConsumer:
    """A KafkaConsumer as `Consumer` needs it, the caller's to subscribe and to close."""
    accept_any_header_names()
    return KafkaConsumer(
        **{**options, "metadata_max_age_ms": METADATA_MS},
        group_id=group.name,
        group_instance_id=group.instance,
        session_timeout_ms=SESSION_MS,
        heartbeat_interval_ms=HEARTBEAT_MS,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",  # aborted and open transactions are not applied
        max_poll_records=POLL_RECORDS,
        max_partition_fetch_bytes=FETCH_BYTES,
        fetch_max_wait_ms=FETCH_WAIT_MS,
        fetch_min_bytes=1,
        check_crcs=True,
        # No deserializer: one that raises makes the client spin for ever.
    )


class Consumer(Generic[E]):
    """One member of the group: consumes batches, and reports where it stands."""

    def __init__(
        self,
        consumer: KafkaConsumer,
        database: Database,
        projection: Projection[E],
        status: Status,
        compacted: Collection[str] = (),
    ) -> None:
        self.assignment = Assignment(consumer, projection.topics, compacted)
        self.kafka = "unknown"
        self._reads, self._writes_fail = "unknown", False
        self._missing: list[str] = []  # topics
        self._unresolvable: str | None = None
        known = status.read()
        self._progress = Progress(last_event_at=known.get("last_event_at"))
        self._progress.events.update(known.get("events", {}))
        self._client = consumer
        self.database = database
        self._projection = projection
        self._status = status
        self._positioned = known.get("positioned", False)
        self._problems = [f"topic {topic} is compacted: balances may be lost unread" for topic in sorted(compacted)]
        self._reported: dict[str, Any] = {}
        self._started_at = time.monotonic()
        self._probe_at = self._commit_at = 0.0
        self._rejoin_at = time.monotonic() + REJOIN_SECONDS
        self._forget_at = time.monotonic()
        self._unread: set[Partition] = set()

    def consume_batch(self) -> int:
        """Apply what one poll brings, its dead letters and its offsets in one transaction; give the records applied."""
        batches = self.assignment.poll()
        applied = self._apply(batches) if batches else 0
        self._initialize()
        return applied

    @property
    def mysql(self) -> str:
        """unknown, up, down, or read_only while reading works and writing does not."""
        return "read_only" if self._reads != "down" and self._writes_fail else self._reads

    def maintain(self) -> None:
        """Between two batches: probe MySQL and Kafka, keep the group complete, report."""
        now = time.monotonic()
        if now >= self._probe_at:
            # Counted from the start: while Kafka hangs, a probe takes as long as the pause, and polls in between would
            # only fill the client's memory.
            self._probe_at = now + PROBE_SECONDS
            self.probe()
        if now >= self._forget_at and self.mysql == "up":
            self._forget_at = now + FORGET_SECONDS
            with suppress(DatabaseUnavailable, Conflict), self.database.transaction() as cursor:  # next time then
                dead_letters.forget_settled(cursor)
        self._report()

    # ---- a batch

    def _apply(self, batches: dict[Partition, Batch]) -> int:
        started = time.perf_counter()
        records = [record for batch in batches.values() for record in batch.records]
        try:
            try:
                parked, stale = self._apply_together(batches, records)
            except (pymysql.DataError, pymysql.IntegrityError) as error:
                log.error(
                    "MySQL refused a value; retrying the batch record by record", extra={"reason": str(error)[:200]}
                )
                parked, stale = self._apply_one_by_one(batches, records)
        except OffsetMoved as moved:
            log.warning(
                "batch discarded: the stored offset moved (another consumer committed)", extra={"reason": str(moved)}
            )
            self.assignment.invalidate(batches)
            return 0
        except (DatabaseUnavailable, Conflict) as error:
            self.assignment.invalidate(batches)  # the COMMIT may have taken effect: only the stored offset knows
            self._writes_fail = isinstance(error, DatabaseUnavailable)
            return 0
        self._committed(batches, len(records) - parked, parked, stale)
        if records:
            log.info(
                "batch",
                extra={
                    "records": len(records),
                    "parked": parked,
                    "duration_ms": round((time.perf_counter() - started) * 1000, 1),
                    "request_ids": _header_values(records, "request_id"),
                    "traceparents": _header_values(records, "traceparent"),
                },
            )
        return len(records)

    def _apply_together(self, batches: dict[Partition, Batch], records: Sequence[Any]) -> tuple[int, int]:
        events: list[E] = []
        parked = []
        for record in records:
            try:
                events.extend(self._projection.parse(record))
            except UnreadableRecord as error:
                parked.append(self._to_park(record, error))
        with self.database.transaction() as cursor:
            self._advance(cursor, batches)
            stale = self._projection.apply(cursor, events)
            if parked:
                dead_letters.park(cursor, parked)
        return len(parked), stale

    def _apply_one_by_one(self, batches: dict[Partition, Batch], records: Sequence[Any]) -> tuple[int, int]:
        parked, stale = [], 0
        with self.database.transaction() as cursor:
            self._advance(cursor, batches)
            for record in records:
                cursor.execute("SAVEPOINT record")
                try:
                    stale += self._projection.apply(cursor, self._projection.parse(record))
                except (UnreadableRecord, pymysql.DataError, pymysql.IntegrityError) as error:
                    cursor.execute("ROLLBACK TO SAVEPOINT record")
                    parked.append(self._to_park(record, error))
            if parked:
                dead_letters.park(cursor, parked)
        return len(parked), stale

    def _advance(self, cursor: Cursor, batches: dict[Partition, Batch]) -> None:
        """First of all: if this fails, nothing was done."""
        positions = self.assignment.positions
        offsets.advance(cursor, {each: (positions[each], batch.next_offset) for each, batch in batches.items()})
        if holes := [partition for partition, batch in batches.items() if batch.hole]:
            offsets.report_data_loss(cursor, holes)
            log.warning(
                "records may be missing: the topic is compacted", extra={"partitions": [str(each) for each in holes]}
            )

    def _to_park(self, record: Any, error: Exception) -> Parked:
        topic, partition, offset = record.topic, record.partition, record.offset
        reason = str(error)
        log.error(
            "record parked", extra={"topic": topic, "partition": partition, "offset": offset, "reason": reason[:200]}
        )
        return Parked(record, self.assignment.positions[Partition(topic, partition)].topic_id, reason)

    def _committed(self, batches: dict[Partition, Batch], applied: int, parked: int, stale: int) -> None:
        self.assignment.applied(batches)
        self._progress.applied(
            {partition: batch.next_offset for partition, batch in batches.items()},
            {partition: batch.records[-1].timestamp for partition, batch in batches.items() if batch.records},
            {"applied": applied, "parked": parked, "stale": stale},
            time.time(),
        )
        self._reads, self._writes_fail, self.kafka = "up", False, "up"
        if time.monotonic() >= self._commit_at:
            self._commit_at = time.monotonic() + COMMIT_SECONDS
            self.assignment.commit_for_tools()

    # ---- between batches

    def _initialize(self) -> None:
        try:
            if self.assignment.initialize(self.database) and self.assignment.joined:
                self._positioned = True
        except KafkaError:
            self.kafka = "down"
        except Conflict:
            pass  # another consumer initializes the same partition: the next batch tries again
        except DatabaseUnavailable:
            self._reads = "down"

    def probe(self) -> None:
        """Ask Kafka for the ends of all logs and MySQL for all stored offsets, of the other members too."""
        asked_at = time.time()
        topics = self._projection.topics
        partitions = [Partition(*each) for each in partitions_of(self._client, topics)]
        ends = self._ends(partitions)
        try:
            stored = self.database.read(offsets.read_all, topics)
            self._reads = "up"
        except DatabaseUnavailable:
            self._reads = "down"
            return
        if moved := self.assignment.invalidate_moved(stored):
            log.warning(
                "the stored offset moved (the database was restored, or another consumer committed)",
                extra={"partitions": [str(partition) for partition in moved[:10]]},
            )
        if ends is None:
            return
        self._missing = sorted(set(topics) - {partition.topic for partition in partitions})
        self._progress.observe(ends, stored, asked_at, complete=not self._missing)
        if skipped := self.assignment.skipped():
            self._apply(skipped)
        self.assignment.commit_for_tools()
        self._rejoin_for(set(partitions) - stored.keys() - self.assignment.positions.keys())

    def _ends(self, partitions: Sequence[Partition]) -> dict[Partition, int] | None:
        """The ends of the logs, None while Kafka is unavailable."""
        try:
            ends = self._client.end_offsets([TopicPartition(*each) for each in partitions], timeout_ms=REQUEST_MS)
        except KafkaError:
            if self.kafka != "down":
                self._unresolvable = unresolvable(self._client)
            self.kafka = "down"
            return None
        self._unresolvable = None
        if partitions:  # without any, nothing was asked
            self.kafka = "up"
        return {partition: ends[TopicPartition(*partition)] for partition in partitions}

    def _rejoin_for(self, unread: set[Partition]) -> None:
        """Have the group assign its partitions again when no member reads some, and none did at the last check.

        A member that comes back under its own name gets what it had, and neither it nor the group then compares that
        with the topics: partitions added meanwhile or later would never be read. A member that reads one stores its
        offset.
        """
        if time.monotonic() < self._rejoin_at:
            return
        self._rejoin_at = time.monotonic() + REJOIN_SECONDS
        if unread & self._unread:
            log.warning("partitions without a consumer: the group rebalances", extra={"partitions": len(unread)})
            request_rejoin(self._client)
        self._unread = unread

    def _report(self) -> None:
        now = time.time()
        facts = self._progress.snapshot(self.assignment.positions, now)
        state, problems = self._state(), self._all_problems()
        self._status.write(
            {
                "consumer": state,
                "kafka": self.kafka,
                "mysql": self.mysql,
                "positioned": self._positioned,
                "problems": problems,
                **facts,
            }
        )
        states = {"consumer": state, "kafka": self.kafka, "mysql": self.mysql, "stalled": facts["stalled"]}
        self._log_changes({**states, "missing_topics": self._missing, "problems": problems}, now)

    def _all_problems(self) -> list[str]:
        found = [f"topic {topic} does not exist" for topic in self._missing]
        if self._unresolvable:
            found.append(self._unresolvable)
        if any(not stored.topic_id for stored in self.assignment.positions.values()):
            found.append("the broker has no topic ids: a re-created topic is recognised by its offsets alone")
        return self._problems + found

    def _state(self) -> str:
        if self.kafka == "down":
            return "waiting_for_kafka"
        return "consuming" if self.assignment.positions else "waiting_for_assignment"

    def _log_changes(self, facts: dict[str, Any], now: float) -> None:
        """One line when a fact changes; none while it stays, however long."""
        if facts == self._reported:
            return
        bad = "down" in facts.values() or facts["mysql"] == "read_only" or facts["stalled"] or facts["problems"]
        extra = {name: value for name, value in facts.items() if self._reported.get(name) != value}
        if facts["stalled"]:
            extra["partitions"] = [str(partition) for partition in self._progress.stalled(now)[:10]]
        log.log(logging.WARNING if bad else logging.INFO, "consumer", extra=extra)
        self._reported = facts


def _await_topics(
    stop: StopEvent, options: dict[str, Any], names: Sequence[str], group: Group, status: Status
) -> frozenset[str]:
    """Wait for Kafka, create what is missing; give the topics that are compacted."""
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


def _header_values(records: Sequence[Any], name: str) -> list[str]:
    """The values of one header in the batch, the first few: enough to follow one request, short enough for a line."""
    values = (value for record in records[:10] for key, value in record.headers if key == name and value)
    return [value.decode("utf-8", "replace")[:128] for value in values]
