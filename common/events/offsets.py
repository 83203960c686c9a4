"""The stored offsets: where a consumer continues, and the compare-and-set that guards each batch.

The offsets are in the projection's own database and move in its transactions. So a record is applied if and only if its
offset is stored. Needs table `consumer_offsets`.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from common.mysql import IMPOSSIBLE_TIME, Cursor

MOVED_AT_ONCE = 1_000  # partitions in one statement: with the longest names of topics it still fits into 1 MiB
NAMED = 10  # partitions in a log line
UNKNOWN_EPOCH = -1  # Kafka's own value


class OffsetMoved(Exception):
    """A stored offset is not the one that this consumer read: its records must not be applied."""


class Partition(NamedTuple):
    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]"


class StoredOffset(NamedTuple):
    topic_id: str  # "" where the broker has no topic ids
    next_offset: int
    leader_epoch: int = UNKNOWN_EPOCH  # of the log's last record or marker before the offset


class Start(NamedTuple):
    """Where to begin, and the reason if that is not the stored offset."""

    offset: int
    reason: str | None
    data_loss: bool = False
    leader_epoch: int = UNKNOWN_EPOCH  # with one the client finds out whether the log was truncated before the offset


class Change(NamedTuple):
    """A start to store in place of the stored offset (None: there is none yet)."""

    stored: StoredOffset | None
    topic_id: str
    start: Start


def start_at(
    stored: StoredOffset | None, topic_id: str, beginning: int, end: int, diverged: int | None = None
) -> Start:
    """Where to begin in a log that holds the offsets from `beginning` to before `end`.

    `diverged`: the offset at which the client found that the log was truncated, if it did. `data_loss` in the result:
    records may have been removed before they were read, and only an announcement replaces them. Without topic ids
    (stored or present as "") only the offsets show that a topic was re-created. A new topic that already has more
    records than were read is not recognised.
    """
    if stored is None:
        if beginning > 0:
            return Start(beginning, "the log does not begin at 0 and nothing of it was read", data_loss=True)
        return Start(beginning, "first read")
    if stored.topic_id and topic_id and stored.topic_id != topic_id:
        # The old topic may have had unread records, which are lost.
        return Start(beginning, "the topic was re-created", data_loss=True)
    if stored.next_offset > end:
        # A second read does no harm to absolute values that a sequence guards, nor to a sum that an inbox guards. Any
        # other sum counts twice. The truncated records are lost.
        return Start(beginning, "the log was truncated", data_loss=True)
    if diverged is not None and diverged < stored.next_offset:
        # The log has grown past the stored offset again. From `diverged` on it has other records than were read.
        return Start(max(beginning, diverged), "the log was truncated", data_loss=True)
    if stored.next_offset < beginning:
        return Start(beginning, "records were removed before they were read", data_loss=True)
    if stored.topic_id != topic_id:
        reason = "the broker's topic id is known now"
        return Start(stored.next_offset, reason, leader_epoch=stored.leader_epoch)
    return Start(stored.next_offset, None, leader_epoch=stored.leader_epoch)


def read_all(cursor: Cursor, topics: Iterable[str]) -> dict[Partition, StoredOffset]:
    """The stored offsets of the topics."""
    names = list(topics)
    marks = ", ".join(["%s"] * len(names))
    cursor.execute(
        "SELECT topic, partition_id, topic_id, next_offset, leader_epoch FROM consumer_offsets"
        f" WHERE topic IN ({marks})",
        names,
    )
    return {Partition(*row[:2]): StoredOffset(*row[2:]) for row in cursor.fetchall()}


def replace(cursor: Cursor, changes: Mapping[Partition, Change]) -> None:
    """Store the new starts. Raises OffsetMoved when a stored offset is no longer the one that was read."""
    first = [
        (*partition, change.topic_id, change.start.offset)
        for partition, change in sorted(changes.items())
        if change.stored is None
    ]
    inserted = cursor.executemany(
        "INSERT IGNORE INTO consumer_offsets (topic, partition_id, topic_id, next_offset) VALUES (%s, %s, %s, %s)",
        first,
    )
    if (inserted or 0) != len(first):
        raise OffsetMoved(f"another consumer stored one of {len(first)} first offsets")
    advance(
        cursor,
        {
            partition: (change.stored, StoredOffset(change.topic_id, change.start.offset, change.start.leader_epoch))
            for partition, change in changes.items()
            if change.stored is not None
        },
    )
    report_data_loss(cursor, [partition for partition, change in changes.items() if change.start.data_loss])


def advance(cursor: Cursor, moves: Mapping[Partition, tuple[StoredOffset, StoredOffset]]) -> None:
    """Move each partition from its offset to the new one, in the transaction that applies what is in between.

    Raises OffsetMoved. The compare-and-set fences a consumer that lost its partition without noticing. It also fences a
    consumer that is ahead, which would lose a gap, and one that is behind, which would apply records twice.
    """
    if len(moves) == 1:
        ((partition, (expected, new)),) = moves.items()
        if not cursor.execute(_MOVE_ONE, (*new, *partition, *expected[:2])):
            raise OffsetMoved(f"the stored offset of {partition} is not {expected.next_offset}")
        return
    rows = [(*partition, *expected[:2], *new) for partition, (expected, new) in sorted(moves.items())]
    for start in range(0, len(rows), MOVED_AT_ONCE):
        some = rows[start : start + MOVED_AT_ONCE]
        if (changed := cursor.execute(_MOVE, (json.dumps(some),))) != len(some):
            names = ", ".join(f"{topic}[{number}] at {offset}" for topic, number, _, offset, *_ in some[:NAMED])
            raise OffsetMoved(f"{len(some) - changed} of {len(some)} stored offsets are others: {names}")


def report_data_loss(cursor: Cursor, partitions: Iterable[Partition]) -> None:
    """Store that records of these partitions may have been removed before they were read."""
    for partition in partitions:
        cursor.queue(
            "UPDATE consumer_offsets SET history_gone_at = UTC_TIMESTAMP(6) WHERE topic = %s AND partition_id = %s",
            tuple(partition),
        )


def announce_required(cursor: Cursor) -> bool:
    """Whether records were lost unread, so that only an announcement makes the projection consistent."""
    cursor.execute("SELECT 1 FROM consumer_offsets WHERE history_gone_at IS NOT NULL LIMIT 1")
    return cursor.fetchone() is not None


def mark_reconciled(cursor: Cursor, since: object) -> None:
    """Clear the losses before `since` (naive UTC), after which the projection was found consistent."""
    cursor.execute(
        "UPDATE consumer_offsets SET history_gone_at = NULL"
        f" WHERE history_gone_at <= %s OR history_gone_at > {IMPOSSIBLE_TIME}",
        (since,),
    )


def named(partitions: Collection[Partition]) -> dict[str, Any]:
    """Fields of a log line: how many partitions, and the names of the first."""
    return {"count": len(partitions), "partitions": [str(partition) for partition in sorted(partitions)[:NAMED]]}


_MOVE_ONE = (
    "UPDATE consumer_offsets SET topic_id = %s, next_offset = %s, leader_epoch = %s"
    " WHERE topic = %s AND partition_id = %s AND topic_id = %s AND next_offset = %s"
)

# One statement for all partitions of a batch; for a single one it takes twice the time of the simple UPDATE.
# STRAIGHT_JOIN: by primary key, in the order of the rows that are given. (`stored` is a reserved word of MySQL.)
_MOVE = (
    "UPDATE JSON_TABLE(%s, '$[*]' COLUMNS ("
    "topic VARCHAR(249) PATH '$[0]', partition_id INT UNSIGNED PATH '$[1]',"
    " topic_id CHAR(36) PATH '$[2]', next_offset BIGINT UNSIGNED PATH '$[3]',"
    " new_topic_id CHAR(36) PATH '$[4]', new_offset BIGINT UNSIGNED PATH '$[5]', new_epoch INT PATH '$[6]')) AS moves"
    " STRAIGHT_JOIN consumer_offsets AS known"
    " ON known.topic = moves.topic AND known.partition_id = moves.partition_id"
    " AND known.topic_id = moves.topic_id AND known.next_offset = moves.next_offset"
    " SET known.topic_id = moves.new_topic_id, known.next_offset = moves.new_offset,"
    " known.leader_epoch = moves.new_epoch"
)
