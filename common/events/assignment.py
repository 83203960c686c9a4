"""The partitions that the group assigned to this consumer, and its position in each.

Knows Kafka and the stored offsets, but not what the records mean.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from kafka import ConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaError

from common.events.offsets import UNKNOWN_EPOCH, OffsetMoved, Partition, Start, StoredOffset
from common.events.starts import find_starts, log_starts
from common.kafka_internals import (
    PartitionUnavailable,
    beginning_offsets,
    leaderless,
    partitions_of,
    positions_of,
    seek,
    topic_id,
)
from common.mysql import Database

POLL_MS = 200


class Batch(NamedTuple):
    """The records that one poll returned of a partition, and the offset to store once they are applied.

    The offset can lie beyond the last record, because transaction markers and aborted records follow it.
    """

    records: list[Any]
    next_offset: int
    leader_epoch: int  # of the last record, or of the marker that follows it
    hole: bool  # the batch follows a gap in a compacted topic: unread records may have been removed

    def moved(self, position: StoredOffset) -> StoredOffset:
        """The position after the batch is applied."""
        return position._replace(next_offset=self.next_offset, leader_epoch=self.leader_epoch)


# Sets and dicts may mix Partition and TopicPartition: both are named tuples, so equal values have equal hashes.


class Assignment(ConsumerRebalanceListener):  # type: ignore[misc]  # kafka-python has no types
    """The assigned partitions and the position in each.

    A partition is initialized when its stored offset was read and the client was moved there. Until then the partition
    is paused, and the records that the client returns of it are discarded.
    """

    def __init__(
        self, consumer: KafkaConsumer, topics: Collection[str], compacted: Collection[str] = (), restarted: bool = False
    ) -> None:
        self.topics = topics
        self.positions: dict[Partition, StoredOffset] = {}  # of the initialized partitions
        self.joined = False  # the group has assigned partitions to this member, perhaps none
        self._consumer = consumer
        self._compacted = compacted
        self._restarted = restarted  # after a failure: starts at the stored offset are not logged again
        self._diverged: dict[Partition, int] = {}  # offset to which the client reset after a truncation
        self._logged: dict[Partition, Start] = {}

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        # On the client's I/O thread: a wait here would delay the heartbeats. The pause marks the partition as new.
        self._consumer.pause(*assigned)
        self.joined = True

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        pass  # the next poll drops their positions, and until then the compare-and-set guards

    def poll(self) -> dict[Partition, Batch]:
        """The records of initialized partitions, perhaps none. Raises KafkaError."""
        polled = self._consumer.poll(timeout_ms=POLL_MS)
        self._drop_lost_partitions()
        records = {Partition(*tp): returned for tp, returned in polled.items() if tp in self.positions}
        if not records:
            return {}
        reached = positions_of(self._consumer)
        continuing = self._continuing({partition: returned[0].offset for partition, returned in records.items()})
        return {
            partition: _batch(records[partition], reached.get(partition), hole)
            for partition, hole in continuing.items()
        }

    def applied(self, batches: Mapping[Partition, Batch]) -> None:
        """The transaction that moved the stored offsets has committed."""
        for partition, batch in batches.items():
            self.positions[partition] = batch.moved(self.positions[partition])

    def skipped(self) -> dict[Partition, Batch]:
        """Batches without a record, of partitions whose position passed only markers and aborted records."""
        reached = positions_of(self._consumer)
        moved = {
            partition: reached[partition]
            for partition, stored in self.positions.items()
            if partition in reached and reached[partition].offset != stored.next_offset
        }
        continuing = self._continuing({partition: position.offset for partition, position in moved.items()})
        return {
            partition: Batch([], moved[partition].offset, leader_epoch=moved[partition].leader_epoch, hole=hole)
            for partition, hole in continuing.items()
        }

    def invalidate(self, partitions: Iterable[Partition]) -> None:
        """Read the stored offset again before the next batch of these partitions."""
        invalid = [partition for partition in partitions if self.positions.pop(partition, None)]
        if invalid:
            assigned = self._consumer.assignment()
            self._consumer.pause(*(TopicPartition(*partition) for partition in invalid if partition in assigned))

    def invalidate_moved(self, stored: Mapping[Partition, StoredOffset]) -> list[Partition]:
        """Invalidate the partitions whose stored offset is not the position, and return them.

        The compare-and-set of the next batch would notice too, but that batch may be hours later.
        """
        moved = [partition for partition, position in self.positions.items() if stored.get(partition) != position]
        self.invalidate(moved)
        return moved

    def initialize(self, database: Database) -> bool:
        """Find the position of each new partition and resume it.

        Return whether every assigned partition is initialized. Raises KafkaError, DatabaseUnavailable and Conflict.
        """
        assigned = self._consumer.assignment()
        self._diverged = {partition: offset for partition, offset in self._diverged.items() if partition in assigned}
        new = assigned - self.positions.keys()
        missing = _missing(self._consumer, new)
        known = _topic_ids(self._consumer, new - missing - leaderless(self._consumer, new))
        if known:
            try:
                starts = find_starts(self._consumer, database, self.topics, known, self._diverged)
            except OffsetMoved:
                return False  # another consumer initializes the same partition: the next call reads again
            except PartitionUnavailable:
                return False  # the next call leaves this partition out
            self._begin(known, starts)
        return bool(self._consumer.assignment() - missing <= self.positions.keys())

    def copy_offsets_to_kafka(self) -> None:
        """Copy the stored offsets to Kafka, without waiting, for tools that show lag. No service reads the copies."""
        copies = {
            TopicPartition(*partition): OffsetAndMetadata(stored.next_offset, "", UNKNOWN_EPOCH)
            for partition, stored in self.positions.items()
        }
        if copies:
            self._consumer.commit_async(copies)

    def _drop_lost_partitions(self) -> None:
        consumed = self._consumer.assignment() - self._consumer.paused()  # a paused partition is not initialized
        for partition in self.positions.keys() - consumed:
            del self.positions[partition]
        # The metadata may have the id of a re-created topic before a record of it arrives.
        ids = {topic: topic_id(self._consumer, topic) for topic in {partition.topic for partition in self.positions}}
        self.invalidate([each for each, stored in self.positions.items() if ids[each.topic] != stored.topic_id])

    def _continuing(self, reached: Mapping[Partition, int]) -> dict[Partition, bool]:
        """For each partition whose log continues at the position: whether a hole precedes the offset.

        The other partitions are invalidated: records are missing. Gaps are normal where a transaction ended or was
        aborted. In a compacted topic a gap is a hole: which records it had is unknown. If the log begins after the
        position, records were deleted unread.
        """
        expected = {partition: self.positions[partition].next_offset for partition in reached}
        ahead = [each for each, offset in reached.items() if offset > expected[each]]
        beginnings = _beginnings(self._consumer, ahead)
        continuing, cut = {}, []
        for partition, offset in reached.items():
            if offset < expected[partition]:
                self._diverged[partition] = offset
                cut.append(partition)
            elif offset == expected[partition]:
                continuing[partition] = False
            # Unknown beginning (Kafka did not answer): the partition is invalidated, and `initialize` asks again.
            elif beginnings.get(partition, offset) <= expected[partition]:
                continuing[partition] = partition.topic in self._compacted
            else:
                cut.append(partition)
        self.invalidate(cut)
        return continuing

    def _begin(self, topic_ids: Mapping[Partition, str], starts: Mapping[Partition, Start]) -> None:
        assigned = self._consumer.assignment()
        begun = {partition: start for partition, start in starts.items() if partition in assigned}
        for partition, start in begun.items():
            seek(self._consumer, TopicPartition(*partition), start.offset, start.leader_epoch)
            self.positions[partition] = StoredOffset(topic_ids[partition], start.offset, start.leader_epoch)
            self._diverged.pop(partition, None)
        self._consumer.resume(*(TopicPartition(*partition) for partition in begun))
        # A failing batch causes repeated initialization at the same offset. Log only a changed start.
        new = {each: start for each, start in begun.items() if self._logged.get(each) != start}
        log_starts({each: start for each, start in new.items() if start.reason or not self._restarted})
        self._logged |= begun


def _beginnings(consumer: KafkaConsumer, partitions: Collection[Partition]) -> dict[Partition, int]:
    """Where these logs begin; {} while Kafka is unavailable."""
    tps = [TopicPartition(*partition) for partition in partitions]
    try:
        beginnings = beginning_offsets(consumer, tps) if tps else {}
    except (KafkaError, PartitionUnavailable):
        return {}
    return {Partition(*tp): beginning for tp, beginning in beginnings.items()}


def _batch(records: list[Any], reached: OffsetAndMetadata | None, hole: bool) -> Batch:
    """The batch; its next offset and leader epoch are from the last record, or from markers that follow it."""
    last = records[-1]
    if reached is not None and reached.offset > last.offset + 1:
        return Batch(records, reached.offset, leader_epoch=reached.leader_epoch, hole=hole)
    return Batch(records, last.offset + 1, leader_epoch=last.leader_epoch, hole=hole)


def _missing(consumer: KafkaConsumer, partitions: Collection[TopicPartition]) -> set[TopicPartition]:
    """Assigned partitions that no longer exist, because their topic was re-created with fewer.

    Only a rebalance revokes them, and a returning static member triggers none. A request for their ends raises KeyError
    in the client.
    """
    existing = set(partitions_of(consumer, {topic for topic, _ in partitions}))
    known = {topic for topic, _ in existing}
    return {tp for tp in partitions if tp not in existing and tp[0] in known}


def _topic_ids(consumer: KafkaConsumer, partitions: Collection[TopicPartition]) -> dict[Partition, str]:
    """The id of each partition's topic; without the topics that the client does not know."""
    ids = {topic: topic_id(consumer, topic) for topic in {topic for topic, _ in partitions}}
    return {Partition(*tp): known for tp in partitions if (known := ids[tp[0]]) is not None}
