"""The partitions that the group assigned to this consumer, and its position in each.

Knows Kafka and the stored offsets, and nothing of what the records mean.
"""

import logging
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal, NamedTuple

from kafka import ConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaError

from common.events import offsets
from common.events.offsets import OffsetMoved, Partition, Start, StoredOffset
from common.kafka_internals import topic_id
from common.mysql import Database

POLL_MS = 200
REQUEST_MS = 2_000  # for the log's beginning and end

log = logging.getLogger("consumer")


class Batch(NamedTuple):
    """The records that one poll brought of a partition, and the offset to store once they are applied.

    The offset may be further than the last record's: markers of transactions and aborted records lie between.
    """

    records: list[Any]
    next_offset: int
    hole: bool = False  # that compaction may have left: records may be gone that were never read


class Assignment(ConsumerRebalanceListener):  # type: ignore[misc]  # kafka-python has no types
    """A partition is initialized when its stored offset was read and the client was told to read on from there.

    Until then it is paused, and what the client brings of it is discarded.
    """

    def __init__(self, consumer: KafkaConsumer, topics: Collection[str], compacted: Collection[str] = ()) -> None:
        self.topics = topics
        self.positions: dict[Partition, StoredOffset] = {}  # of the initialized partitions
        self.joined = False  # the group has said which partitions are this member's, which may be none
        self._consumer = consumer
        self._compacted = compacted

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        # On the client's I/O thread: a wait here would hold up the heartbeats. The pause marks the partition as new.
        self._consumer.pause(*assigned)
        self.joined = True

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        pass  # the next poll sees it, and until then the compare-and-set guards

    def poll(self) -> dict[Partition, Batch]:
        """The records of initialized partitions, perhaps none. Raises KafkaError."""
        polled = self._consumer.poll(timeout_ms=POLL_MS)
        self._drop_lost_partitions()
        batches = {}
        for tp, records in polled.items():
            partition = Partition(*tp)
            if partition in self.positions and (link := self._continues(partition, records[0].offset)):
                next_offset = max(self._consumer.position(tp), records[-1].offset + 1)
                batches[partition] = Batch(records, next_offset, link == "hole")
        return batches

    def applied(self, batches: dict[Partition, Batch]) -> None:
        """The transaction that moved the stored offsets has committed."""
        for partition, batch in batches.items():
            self.positions[partition] = self.positions[partition]._replace(next_offset=batch.next_offset)

    def skipped(self) -> dict[Partition, Batch]:
        """Batches without a record: of partitions whose position moved over markers and aborted records alone."""
        batches = {}
        for partition in list(self.positions):
            position = self._consumer.position(TopicPartition(*partition))
            if position is None or position == self.positions[partition].next_offset:
                continue
            if link := self._continues(partition, position):
                batches[partition] = Batch([], position, link == "hole")
        return batches

    def invalidate(self, partitions: Iterable[Partition]) -> None:
        """Trust the stored offset again, not what is remembered."""
        assigned = self._consumer.assignment()
        for partition in partitions:
            if self.positions.pop(partition, None) and TopicPartition(*partition) in assigned:
                self._consumer.pause(TopicPartition(*partition))

    def invalidate_moved(self, stored: Mapping[Partition, StoredOffset]) -> list[Partition]:
        """Invalidate the partitions whose stored offset is not the position, and give them.

        A batch would find out too. But after a restore of the database nothing may come for long.
        """
        moved = [partition for partition, position in self.positions.items() if stored.get(partition) != position]
        self.invalidate(moved)
        return moved

    def initialize(self, database: Database) -> bool:
        """Find the position of each new partition and resume it; whether all that are assigned are initialized.

        Raises KafkaError, DatabaseUnavailable or Conflict; the next call tries again.
        """
        assigned = {Partition(*tp) for tp in self._consumer.assignment()}
        new = {
            partition: known
            for partition in assigned - self.positions.keys()
            if (known := topic_id(self._consumer, partition.topic)) is not None
        }
        if new:
            try:
                starts = self._find_starts(database, new)
            except OffsetMoved:
                return False  # another consumer initializes the same partition: the next call reads again
            for partition, start in starts.items():
                self._begin(partition, new[partition], start)
        return assigned <= self.positions.keys()

    def commit_for_tools(self) -> None:
        """Commit to Kafka, without waiting, for the tools that show lag; nothing here reads these offsets."""
        committed = {
            TopicPartition(*partition): OffsetAndMetadata(stored.next_offset, "", -1)
            for partition, stored in self.positions.items()
        }
        if committed:
            self._consumer.commit_async(committed)

    def _drop_lost_partitions(self) -> None:
        consumed = {Partition(*tp) for tp in self._consumer.assignment() - self._consumer.paused()}
        self.positions = {partition: stored for partition, stored in self.positions.items() if partition in consumed}
        # The metadata may know of a re-created topic before a record of it comes.
        ids = {topic: topic_id(self._consumer, topic) for topic in {partition.topic for partition in self.positions}}
        self.invalidate([each for each, stored in self.positions.items() if ids[each.topic] != stored.topic_id])

    def _continues(self, partition: Partition, offset: int) -> Literal["next", "gap", "hole", ""]:
        """How the offset follows on the position; "" when it does not, because the log was cut.

        Such a partition is initialized again. A gap is usual where a transaction ended or was aborted. In a compacted
        topic it is a hole: nobody knows what it held. A log that begins behind the gap has lost records.
        """
        expected = self.positions[partition].next_offset
        if offset == expected:
            return "next"
        if offset > expected:
            tp = TopicPartition(*partition)
            try:
                beginning = self._consumer.beginning_offsets([tp], timeout_ms=REQUEST_MS)[tp]
            except KafkaError:
                beginning = None
            if beginning is not None and beginning <= expected:
                return "hole" if partition.topic in self._compacted else "gap"
        self.invalidate([partition])
        return ""

    def _find_starts(self, database: Database, topic_ids: dict[Partition, str]) -> dict[Partition, Start]:
        """Where to begin in each partition, stored where that is not the stored offset."""
        tps = [TopicPartition(*partition) for partition in topic_ids]
        # Stored offsets before the log's end: otherwise one that another consumer moved meanwhile seems beyond it.
        stored = database.read(offsets.read_all, self.topics)
        ends = self._consumer.end_offsets(tps, timeout_ms=REQUEST_MS)
        beginnings = self._consumer.beginning_offsets(tps, timeout_ms=REQUEST_MS)
        starts = {
            partition: offsets.start_at(stored.get(partition), known, beginnings[tp], ends[tp])
            for (partition, known), tp in zip(topic_ids.items(), tps, strict=True)
        }
        elsewhere = [partition for partition, start in starts.items() if start.reason]
        if elsewhere:
            with database.transaction() as cursor:
                for partition in elsewhere:
                    offsets.replace(cursor, partition, stored.get(partition), topic_ids[partition], starts[partition])
        return starts

    def _begin(self, partition: Partition, known: str, start: Start) -> None:
        tp = TopicPartition(*partition)
        if tp not in self._consumer.assignment():
            return
        log.log(
            logging.WARNING if start.data_loss else logging.INFO,
            start.reason or "reading on",
            extra={"topic": tp.topic, "partition": tp.partition, "offset": start.offset},
        )
        self._consumer.seek(tp, start.offset)
        self.positions[partition] = StoredOffset(known, start.offset)
        self._consumer.resume(tp)
