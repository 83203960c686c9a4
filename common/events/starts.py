"""Where to begin in each partition that was just assigned: the stored offset, compared with the log as it is now."""

import logging
from collections import defaultdict
from collections.abc import Collection, Mapping

from kafka import KafkaConsumer, TopicPartition

from common.events import offsets
from common.events.offsets import Change, Partition, Start
from common.kafka_internals import beginning_offsets, end_offsets
from common.mysql import Database

log = logging.getLogger("consumer")


def find_starts(
    consumer: KafkaConsumer,
    database: Database,
    topics: Collection[str],
    topic_ids: Mapping[Partition, str],
    diverged: Mapping[Partition, int],
) -> dict[Partition, Start]:
    """Where to begin in each partition of `topic_ids`, stored where that is not the stored offset.

    `diverged`: offsets to which the client reset after a truncation. Raises KafkaError, PartitionUnavailable,
    DatabaseUnavailable, Conflict and OffsetMoved.
    """
    tps = [TopicPartition(*partition) for partition in topic_ids]
    # Read the stored offsets before the ends. Otherwise another consumer can move an offset in between, and the offset
    # seems to be beyond the end of its log.
    stored = database.read(offsets.read_all, topics)
    ends = end_offsets(consumer, tps)
    beginnings = beginning_offsets(consumer, tps)
    starts = {
        partition: offsets.start_at(
            stored.get(partition), known, beginnings[partition], ends[partition], diverged.get(partition)
        )
        for partition, known in topic_ids.items()
    }
    changes = {
        partition: Change(stored.get(partition), topic_ids[partition], start)
        for partition, start in starts.items()
        if start.reason
    }
    if changes:
        with database.transaction() as cursor:
            offsets.replace(cursor, changes)
    return starts


def log_starts(starts: Mapping[Partition, Start]) -> None:
    """Log one line for each reason, a warning for a loss of data."""
    by_reason = defaultdict(list)
    for partition, start in starts.items():
        by_reason[start.reason or "continuing at the stored offset", start.data_loss].append(partition)
    for (reason, data_loss), partitions in by_reason.items():
        extra = offsets.named(partitions)
        if len(partitions) == 1:
            extra["offset"] = starts[partitions[0]].offset
        log.log(logging.WARNING if data_loss else logging.INFO, reason, extra=extra)
