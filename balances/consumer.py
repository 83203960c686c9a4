"""Feeds the projection from Kafka: each record exactly once, whatever dies.

The offsets live in MySQL, in the projection's own transaction. Kafka's group only shares out the partitions.
"""

import logging
import sys
import time
from contextlib import suppress

import pymysql
from kafka import ConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaError

from balances import dead_letters, positions, projection
from balances.messages import UnreadableMessage, parse
from balances.positions import Position, PositionMoved
from common.kafka import ensure_topics
from common.kafka_headers import read_any_names
from common.mysql import Conflict, DatabaseUnavailable

POLL_MS = 200
POLL_RECORDS = 10_000  # all of one fetch: what a poll leaves over holds up the fetch of the other partitions
FETCH_BYTES = 2 * 1024 * 1024
FETCH_WAIT_MS = 100
SESSION_MS, HEARTBEAT_MS = 6_000, 1_000  # the others of a group learn at a heartbeat that one is gone: 8 s in all
METADATA_MS = 5_000  # how late it is noticed that a topic was made anew: until then its offsets look like the old one's
ASK_MS = 2_000  # for the log's beginning and end
LOOK_SECONDS = 2  # how often an idle consumer asks Kafka for the end of the log, and so learns that it is away
SHARE_SECONDS = 5  # between two looks for partitions that nobody reads
COMMIT_SECONDS = 1
FORGET_SECONDS = 60  # between two looks for dead letters that were settled long ago
RETRY_SECONDS = 0.5
# How long this thread may keep the interpreter from those that answer requests. Beside a backlog the shorter one brings
# the slowest hundredth of the GETs from 136 to 44 ms; without one it would cost them a tenth of their number.
BACKLOG_RECORDS, GIVE_WAY_SECONDS, SWITCH_SECONDS = 500, 0.0001, sys.getswitchinterval()

log = logging.getLogger("consumer")


def run(stop, database, options, topics, group, instance, partitions, replication, status):
    """Follow the topics until `stop`; wait out every outage. An error of the client's own ends it: make a new one."""
    told = status.read()
    while not stop.is_set():
        try:
            ensure_topics(options, topics, partitions, replication)
            break
        except KafkaError as error:
            status.write({**told, "consumer": "waits for Kafka", "kafka": "down"})
            log.warning("Kafka is away", extra={"reason": str(error)[:200]})
            stop.wait(RETRY_SECONDS)
    consumer = client(options, group, instance)
    try:
        follower = Follower(consumer, database, status)
        consumer.subscribe(topics, listener=follower)
        forget_at = time.monotonic()
        while not stop.is_set():
            behind = consume_batch(follower) >= BACKLOG_RECORDS
            sys.setswitchinterval(GIVE_WAY_SECONDS if behind else SWITCH_SECONDS)
            follower.tell()
            if follower.mysql == "down":
                stop.wait(RETRY_SECONDS)
            elif time.monotonic() >= forget_at:
                forget_at = time.monotonic() + FORGET_SECONDS
                _forget_settled_letters(database)
    finally:
        consumer.close(timeout_ms=2000)


def client(options, group, instance):
    """A KafkaConsumer as the follower needs it, the caller's to subscribe and to close."""
    read_any_names()
    return KafkaConsumer(
        **{**options, "metadata_max_age_ms": METADATA_MS},
        group_id=group,
        group_instance_id=instance,
        session_timeout_ms=SESSION_MS,
        heartbeat_interval_ms=HEARTBEAT_MS,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_poll_records=POLL_RECORDS,
        max_partition_fetch_bytes=FETCH_BYTES,
        fetch_max_wait_ms=FETCH_WAIT_MS,
        fetch_min_bytes=1,
        check_crcs=True,
        # No deserializer: one that raises makes the client spin for ever.
    )


def consume_batch(follower):
    """Apply what one poll brings, its parked messages and its offsets in one transaction; give the records applied."""
    batches = follower.poll()
    if not batches:
        return 0
    started = time.perf_counter()
    records = [record for batch in batches.values() for record in batch]
    try:
        try:
            parked, stale = _apply(follower, batches, *_read(follower, records))
        except (pymysql.DataError, pymysql.IntegrityError) as error:
            log.error("MySQL refused a value; the batch goes one by one", extra={"reason": str(error)[:200]})
            parked, stale = _apply_one_by_one(follower, batches, records)
    except PositionMoved as moved:
        log.warning("batch thrown away: another was here", extra={"reason": str(moved)})
        follower.unsettle(batches)
        return 0
    except (DatabaseUnavailable, Conflict) as error:
        follower.unsettle(batches)  # the COMMIT may have been heard: only the stored offset knows
        follower.lost_mysql(error)
        return 0
    follower.applied(batches, parked, stale)
    log.info(
        "batch",
        extra={
            "records": len(records),
            "parked": parked,
            "duration_ms": round((time.perf_counter() - started) * 1000, 1),
            "request_ids": _request_ids(records),
        },
    )
    return len(records)


class Follower(ConsumerRebalanceListener):
    """The partitions this consumer holds and where it stands in each.

    A partition is settled when its stored offset was read and the client told to read on from there. Until then it
    is paused, and what the client brings of it is thrown away.
    """

    def __init__(self, consumer, database, status):
        self.database = database
        self.mysql = "unknown"
        self._consumer = consumer
        self._status = status
        self._joined = False  # the group has said what is this member's, which may be nothing
        self._settled = {}  # TopicPartition -> Position
        self._ends = {}
        self._read_until = {}  # TopicPartition -> seconds since 1970: whatever came before then was read
        self._events = {"applied": 0, "parked": 0, "stale": 0, **status.read().get("events", {})}
        self._kafka = "unknown"
        self._asked_at = self._committed_at = 0.0
        self._shared_at, self._unread = time.monotonic(), set()
        self._last_event = status.read().get("last_event_at")
        self._positioned = status.read().get("positioned", False)

    def on_partitions_assigned(self, assigned):
        # The client's I/O thread: a wait here would hold up the heartbeats. A pause is also the note that it was here.
        self._consumer.pause(*assigned)
        self._joined = True

    def on_partitions_revoked(self, revoked):
        pass  # the next look at assignment() sees it, and until then the compare-and-set guards

    def poll(self):
        """The records of settled partitions, {TopicPartition: [record, …]}, perhaps none."""
        batches = self._consumer.poll(timeout_ms=POLL_MS)
        self._look_at_assignment()
        usable = {tp: batch for tp, batch in batches.items() if tp in self._settled and self._follows_on(tp, batch)}
        self._settle(self._consumer.assignment() - self._settled.keys())
        return usable

    def position(self, tp):
        return self._settled[tp]

    def applied(self, batches, parked, stale):
        """The transaction committed: stand behind the batches, and count what they held."""
        for tp, batch in batches.items():
            self._settled[tp] = self._settled[tp]._replace(next_offset=batch[-1].offset + 1)
            self._read_until[tp] = batch[-1].timestamp / 1000
            self._last_event = max(self._last_event or 0, batch[-1].timestamp / 1000)
            self._events["applied"] += len(batch)
        self._events["applied"] -= parked
        self._events["parked"] += parked
        self._events["stale"] += stale
        self.mysql = self._kafka = "up"
        if time.monotonic() - self._committed_at >= COMMIT_SECONDS:
            self._commit_for_tools()

    def unsettle(self, partitions):
        """Trust the stored offset again, not what is remembered."""
        for tp in partitions:
            if self._settled.pop(tp, None) and tp in self._consumer.assignment():
                self._consumer.pause(tp)

    def lost_mysql(self, error):
        if self.mysql != "down":
            log.warning("MySQL is away", extra={"reason": str(error)[:200]})
        self.mysql = "down"

    def tell(self):
        """Write the status; when idle for a while, ask Kafka how far the log reaches."""
        if time.monotonic() - self._asked_at >= LOOK_SECONDS:
            self._asked_at = time.monotonic()
            self._ask_for_ends()
            self._commit_for_tools()
        if time.monotonic() - self._shared_at >= SHARE_SECONDS:
            self._shared_at = time.monotonic()
            self._share_unread_partitions()
        self._positioned = self._positioned or (self._joined and self._consumer.assignment() <= self._settled.keys())
        self._status.write(
            {
                "consumer": "follows" if self._settled else "waits for its partitions",
                "kafka": self._kafka,
                "positioned": self._positioned,
                "last_event_at": self._last_event,
                "events": self._events,
                "partitions": [self._state_of(tp) for tp in sorted(self._settled)],
                "partitions_to_follow": self._partitions_to_follow(),
            }
        )

    def _state_of(self, tp):
        position, now = self._settled[tp].next_offset, time.time()
        lag = max(0, self._end(tp) - position)
        if not lag:
            self._read_until[tp] = now
        seconds = max(0, round(now - self._read_until[tp], 3)) if tp in self._read_until else None
        return {
            "topic": tp.topic,
            "partition": tp.partition,
            "position": position,
            "lag": lag,
            "lag_seconds": seconds,  # the oldest record not yet read has waited this long at most
        }

    def _partitions_to_follow(self):
        """How many partitions the topics have, for this consumer and the others of its group together."""
        topics = self._consumer.subscription() or ()
        return sum(len(self._consumer._cluster.partitions_for_topic(topic) or ()) for topic in topics)

    def _look_at_assignment(self):
        followed = self._consumer.assignment() - self._consumer.paused()
        self._settled = {tp: position for tp, position in self._settled.items() if tp in followed}
        # Here too, not only where records come: what was skipped must not wait for the next record to be read.
        self.unsettle([tp for tp, position in self._settled.items() if self._topic_id(tp) != position.topic_id])

    def _follows_on(self, tp, batch):
        """False when the client jumped, for the log was cut: the partition must be settled again."""
        position = self._settled[tp]
        if batch[0].offset == position.next_offset:
            return True
        # Further on is usual where a transaction's marker or compaction leaves a hole; settling tells the two apart.
        if batch[0].offset > position.next_offset:
            with suppress(KafkaError):
                if self._consumer.beginning_offsets([tp], timeout_ms=ASK_MS)[tp] <= position.next_offset:
                    return True
        self.unsettle([tp])
        return False

    def _settle(self, partitions):
        topic_ids = {tp: topic_id for tp in partitions if (topic_id := self._topic_id(tp))}
        if not topic_ids:  # nothing to settle, or topics that are deleted or not yet heard of
            return
        try:
            starts = self._find_starts(topic_ids)
        except KafkaError:
            self._kafka = "down"
            return
        except (DatabaseUnavailable, Conflict) as error:
            self.lost_mysql(error)
            return
        except PositionMoved:
            return  # another settles the same partition: look again at the next turn
        self.mysql = self._kafka = "up"
        for tp, (topic_id, start) in starts.items():
            if tp not in self._consumer.assignment():
                continue
            log.log(
                logging.WARNING if start.history_gone else logging.INFO,
                start.finding or "reads on",
                extra={"topic": tp.topic, "partition": tp.partition, "offset": start.offset},
            )
            self._consumer.seek(tp, start.offset)
            self._settled[tp] = Position(topic_id, start.offset)
            self._read_until.pop(tp, None)  # another may have read on meanwhile
            self._consumer.resume(tp)

    def _find_starts(self, topic_ids):
        """{partition: (topic id, Start)}, stored where it is not simply where it was left."""
        partitions = list(topic_ids)
        # Stored offsets before the log's end: the other way round, one that another moved meanwhile seems beyond it.
        stored = self.database.read(positions.read, partitions)
        ends = self._consumer.end_offsets(partitions, timeout_ms=ASK_MS)
        beginnings = self._consumer.beginning_offsets(partitions, timeout_ms=ASK_MS)
        self._ends.update(ends)
        starts = {}
        for tp, topic_id in topic_ids.items():
            starts[tp] = topic_id, positions.start_at(stored.get(tp), topic_id, beginnings[tp], ends[tp])
        elsewhere = [tp for tp, (_, start) in starts.items() if start.finding]
        if elsewhere:
            with self.database.transaction() as cursor:
                for tp in elsewhere:
                    positions.replace(cursor, tp, stored.get(tp), *starts[tp])
        return starts

    def _topic_id(self, tp):
        # The client knows it from its metadata but has no public way to ask; an admin client would ask the network.
        topic_id = self._consumer._cluster.topic_id(tp.topic)
        return topic_id and str(topic_id)

    def _ask_for_ends(self):
        if not self._settled:
            return
        try:
            self._ends.update(self._consumer.end_offsets(list(self._settled), timeout_ms=ASK_MS))
            self._kafka = "up"
        except KafkaError:
            self._kafka = "down"

    def _share_unread_partitions(self):
        """Have the group share its partitions anew when some are nobody's, and were so at the last look.

        A member that comes back under its own name gets what it had, and neither it nor the group then compares that
        with the topics: partitions added meanwhile or later would never be read. Who reads one stores where it stands.
        """
        # The client's own list: to ask for it in public may block for ever while Kafka is away.
        cluster, assignment = self._consumer._cluster, self._consumer.assignment()
        others = {
            TopicPartition(topic, number)
            for topic in self._consumer.subscription()
            for number in cluster.partitions_for_topic(topic) or ()
        } - assignment
        try:
            unread = others - self.database.read(positions.read, others).keys()
        except DatabaseUnavailable as error:
            self.lost_mysql(error)
            return
        if unread & self._unread:
            log.warning("partitions that nobody reads: the group shares anew", extra={"partitions": len(unread)})
            self._consumer._coordinator.request_rejoin()
        self._unread = unread

    def _end(self, tp):
        return max(self._ends.get(tp, 0), self._consumer.highwater(tp) or 0 if tp in self._consumer.assignment() else 0)

    def _commit_for_tools(self):
        """Kafka's own offsets follow, unawaited, for the tools that show lag; nothing here reads them."""
        self._committed_at = time.monotonic()
        offsets = {tp: OffsetAndMetadata(position.next_offset, "", -1) for tp, position in self._settled.items()}
        if offsets and self._kafka == "up":
            self._consumer.commit_async(offsets)


def _read(follower, records):
    """The balances that the records tell, in order, and those that cannot be read, to be parked."""
    balances, parked = [], []
    for record in records:
        try:
            balances.extend(parse(record))
        except UnreadableMessage as error:
            parked.append(_to_park(follower, record, error))
    return balances, parked


def _apply(follower, batches, balances, parked):
    with follower.database.transaction() as cursor:
        _advance(cursor, follower, batches)
        stale = projection.apply(cursor, balances)
        if parked:
            dead_letters.park(cursor, parked)
    return len(parked), stale


def _apply_one_by_one(follower, batches, records):
    parked, stale = [], 0
    with follower.database.transaction() as cursor:
        _advance(cursor, follower, batches)
        for record in records:
            cursor.execute("SAVEPOINT record")
            try:
                stale += projection.apply(cursor, parse(record))
            except (UnreadableMessage, pymysql.DataError, pymysql.IntegrityError) as error:
                cursor.execute("ROLLBACK TO SAVEPOINT record")
                parked.append(_to_park(follower, record, error))
        dead_letters.park(cursor, parked)
    return len(parked), stale


def _advance(cursor, follower, batches):
    """First of all: if this fails, nothing was done."""
    for tp, batch in sorted(batches.items()):
        positions.advance(cursor, tp, follower.position(tp), batch[-1].offset + 1)


def _to_park(follower, record, error):
    topic, partition, offset = record.topic, record.partition, record.offset
    reason = str(error)[:200]
    log.error("message parked", extra={"topic": topic, "partition": partition, "offset": offset, "reason": reason})
    return record, follower.position((topic, partition)).topic_id, error


def _forget_settled_letters(database):
    with suppress(DatabaseUnavailable, Conflict), database.transaction() as cursor:  # the next look makes up for it
        dead_letters.forget_settled(cursor)


def _request_ids(records):
    """The request ids of the batch, the first few: enough to follow one request, short enough for a line."""
    ids = (value for record in records[:10] for key, value in record.headers if key == "request_id" and value)
    return [value.decode("utf-8", "replace")[:128] for value in ids]
