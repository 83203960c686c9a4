"""The partitions that the group assigned to this consumer, and its position in each.

Knows Kafka and the stored offsets, and nothing of what the records mean.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from kafka import ConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaError

from common.events.offsets import UNKNOWN_EPOCH, OffsetMoved, Partition, Start, StoredOffset
from common.events.starts import REQUEST_MS, find_starts, log_starts
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

    The offset may be further than the last record's: markers of transactions and aborted records are in between.
    """

    records: list[Any]
    next_offset: int
    leader_epoch: int = UNKNOWN_EPOCH  # of the last record, or of what follows it
    hole: bool = False  # a gap before it in a compacted topic: records may have been removed before they were read

    def moved(self, position: StoredOffset) -> StoredOffset:
        """Where the position is once the batch is applied."""
        return position._replace(next_offset=self.next_offset, leader_epoch=self.leader_epoch)


class Assignment(ConsumerRebalanceListener):  # type: ignore[misc]  # kafka-python has no types
    """A partition is initialized when its stored offset was read and the client was moved there.

    Until then it is paused, and the records that the client returns of it are discarded.
    """

    # A Partition and a TopicPartition of the same names are equal tuples: sets and dicts may mix them.

    def __init__(self, consumer: KafkaConsumer, topics: Collection[str], compacted: Collection[str] = ()) -> None:
        self.topics = topics
        self.positions: dict[Partition, StoredOffset] = {}  # of the initialized partitions
        self.restarted = False  # after a failure: to read on is no news then
        self.joined = False  # the group has assigned partitions to this member, perhaps none
        self._consumer = consumer
        self._compacted = compacted
        self._diverged: dict[Partition, int] = {}  # where the client moved back to
        self._logged: dict[Partition, Start] = {}

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        # On the client's I/O thread: a wait here would delay the heartbeats. The pause marks the partition as new.
        self._consumer.pause(*assigned)
        self.joined = True

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        pass  # the next poll notices, and until then the compare-and-set guards

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
            partition: Batch(records[partition], *_end(records[partition][-1], reached.get(partition)), hole)
            for partition, hole in continuing.items()
        }

    def applied(self, batches: Mapping[Partition, Batch]) -> None:
        """The transaction that moved the stored offsets has committed."""
        for partition, batch in batches.items():
            self.positions[partition] = batch.moved(self.positions[partition])

    def skipped(self) -> dict[Partition, Batch]:
        """Batches without a record: of partitions whose position moved over markers and aborted records alone."""
        reached = positions_of(self._consumer)
        moved = {
            partition: reached[partition]
            for partition, stored in self.positions.items()
            if partition in reached and reached[partition].offset != stored.next_offset
        }
        continuing = self._continuing({partition: position.offset for partition, position in moved.items()})
        return {
            partition: Batch([], moved[partition].offset, moved[partition].leader_epoch, hole)
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

        A batch would notice too. But after a restore of the database the next batch may come late.
        """
        moved = [partition for partition, position in self.positions.items() if stored.get(partition) != position]
        self.invalidate(moved)
        return moved

    def initialize(self, database: Database) -> bool:
        """Find the position of each new partition and resume it; whether all that are assigned are initialized.

        Raises KafkaError, DatabaseUnavailable or Conflict; the next call tries again.
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

    def commit_for_tools(self) -> None:
        """Commit to Kafka, without waiting, for the tools that show lag; nothing here reads these offsets."""
        committed = {
            TopicPartition(*partition): OffsetAndMetadata(stored.next_offset, "", -1)
            for partition, stored in self.positions.items()
        }
        if committed:
            self._consumer.commit_async(committed)

    def _drop_lost_partitions(self) -> None:
        consumed = self._consumer.assignment() - self._consumer.paused()
        for partition in self.positions.keys() - consumed:
            del self.positions[partition]
        # The metadata may have the id of a re-created topic before a record of it comes.
        ids = {topic: topic_id(self._consumer, topic) for topic in {partition.topic for partition in self.positions}}
        self.invalidate([each for each, stored in self.positions.items() if ids[each.topic] != stored.topic_id])

    def _continuing(self, reached: Mapping[Partition, int]) -> dict[Partition, bool]:
        """{partition: whether a hole is before the offset} of those whose log continues the position; invalidates the
        others, whose log was cut.

        A gap is usual where a transaction ended or was aborted. In a compacted topic it is a hole: the
        records that it had are unknown. A log that begins behind the gap has lost records.
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
        # A batch that cannot be applied is initialized again and again: at the same place there is nothing new to log.
        new = {each: start for each, start in begun.items() if self._logged.get(each) != start}
        log_starts({each: start for each, start in new.items() if start.reason or not self.restarted})
        self._logged |= begun


def _beginnings(consumer: KafkaConsumer, partitions: Collection[Partition]) -> dict[Partition, int]:
    """Where these logs begin; nothing while Kafka is unavailable."""
    tps = [TopicPartition(*partition) for partition in partitions]
    try:
        beginnings = beginning_offsets(consumer, tps, REQUEST_MS) if tps else {}
    except (KafkaError, PartitionUnavailable):
        return {}
    return {Partition(*tp): beginning for tp, beginning in beginnings.items()}


def _end(last: Any, reached: OffsetAndMetadata | None) -> tuple[int, int]:
    """The next offset behind a batch and its leader epoch: of its last record, or of markers that follow it."""
    if reached is not None and reached.offset > last.offset + 1:
        return reached.offset, reached.leader_epoch
    return last.offset + 1, last.leader_epoch


def _missing(consumer: KafkaConsumer, partitions: Collection[TopicPartition]) -> set[TopicPartition]:
    """The partitions that their topic does not have, because it was re-created with fewer.

    Only a rebalance takes them from a member, and a static member that returns causes none. The client raises a
    KeyError when it is asked for their ends.
    """
    existing = set(partitions_of(consumer, {topic for topic, _ in partitions}))
    known = {topic for topic, _ in existing}
    return {tp for tp in partitions if tp not in existing and tp[0] in known}


def _topic_ids(consumer: KafkaConsumer, partitions: Collection[TopicPartition]) -> dict[Partition, str]:
    """The id of each partition's topic; without the topics that the client does not know."""
    ids = {topic: topic_id(consumer, topic) for topic in {topic for topic, _ in partitions}}
    return {Partition(*tp): known for tp in partitions if (known := ids[tp[0]]) is not None}
