"""The stored offsets: where a consumer reads on, and the compare-and-set that guards each batch.

They are in the projection's own database and move in its transactions, so that a record is applied exactly when its
offset is stored. Needs table `consumer_offsets`.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from common.mysql import Cursor


class OffsetMoved(Exception):
    """The stored offset is not where this consumer believes it to be: what it holds must not be applied."""


class Partition(NamedTuple):
    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]"


class StoredOffset(NamedTuple):
    topic_id: str  # "" where the broker has no topic ids
    next_offset: int


class Start(NamedTuple):
    """Where to read on, and why not simply at the stored offset (None: it is there)."""

    offset: int
    reason: str | None
    data_loss: bool = False


def start_at(stored: StoredOffset | None, topic_id: str, beginning: int, end: int) -> Start:
    """Where to begin in a log that holds the offsets from `beginning` to before `end`.

    `data_loss`: records may be gone that were never read; only an announcement makes up for them. Without topic ids
    (stored or present as "") a re-created topic is recognised by its offsets alone, which is weaker: one that already
    holds more records than were read looks like the old one.
    """
    if stored is None:
        if beginning > 0:
            return Start(beginning, "the log does not begin at 0 and nothing of it was read", data_loss=True)
        return Start(beginning, "first read")
    if stored.topic_id and topic_id and stored.topic_id != topic_id:
        # What the old topic still held unread is gone, and nobody knows whether it held any.
        return Start(beginning, "the topic was re-created", data_loss=True)
    if stored.next_offset > end:
        # To read all of it again does no harm to absolute values that a sequence guards, nor to a sum that an inbox
        # guards; any other sum counts twice. What was written between is lost.
        return Start(beginning, "the log was truncated", data_loss=True)
    if stored.next_offset < beginning:
        return Start(beginning, "records were removed before they were read", data_loss=True)
    if stored.topic_id != topic_id:
        return Start(stored.next_offset, "the broker's topic id is known now")
    return Start(stored.next_offset, None)


def read_all(cursor: Cursor, topics: Iterable[str]) -> dict[Partition, StoredOffset]:
    """The stored offsets of the topics."""
    names = list(topics)
    marks = ", ".join(["%s"] * len(names))
    cursor.execute(
        f"SELECT topic, partition_id, topic_id, next_offset FROM consumer_offsets WHERE topic IN ({marks})", names
    )
    return {Partition(row[0], row[1]): StoredOffset(row[2], row[3]) for row in cursor.fetchall()}


def replace(cursor: Cursor, partition: Partition, stored: StoredOffset | None, topic_id: str, start: Start) -> None:
    """Store another start in place of what was read. Raises OffsetMoved when the stored offset is no longer that."""
    topic, number = partition
    if stored is None:
        changed = cursor.execute(
            "INSERT IGNORE INTO consumer_offsets (topic, partition_id, topic_id, next_offset, history_gone_at)"
            " VALUES (%s, %s, %s, %s, IF(%s, UTC_TIMESTAMP(6), NULL))",
            (topic, number, topic_id, start.offset, start.data_loss),
        )
    else:
        changed = cursor.execute(
            "UPDATE consumer_offsets SET topic_id = %s, next_offset = %s,"
            " history_gone_at = IF(%s, UTC_TIMESTAMP(6), history_gone_at)"
            " WHERE topic = %s AND partition_id = %s AND topic_id = %s AND next_offset = %s",
            (topic_id, start.offset, start.data_loss, topic, number, *stored),
        )
    if changed != 1:
        raise OffsetMoved(str(partition))


def advance(cursor: Cursor, moves: Mapping[Partition, tuple[StoredOffset, int]]) -> None:
    """Move each partition from its offset to the new one, in the transaction that applies what lies between.

    Raises OffsetMoved. Compare-and-set: it fences a consumer that lost its partition without knowing, one that is
    ahead (a gap would be lost) and one that is behind (it would apply records twice).
    """
    for partition, (expected, next_offset) in sorted(moves.items()):
        changed = cursor.execute(
            "UPDATE consumer_offsets SET next_offset = %s"
            " WHERE topic = %s AND partition_id = %s AND topic_id = %s AND next_offset = %s",
            (next_offset, *partition, *expected),
        )
        if changed != 1:
            raise OffsetMoved(f"{partition} is not at {expected.next_offset}")


def report_data_loss(cursor: Cursor, partitions: Iterable[Partition]) -> None:
    """Records of these partitions may be gone that were never read."""
    for partition in partitions:
        cursor.execute(
            "UPDATE consumer_offsets SET history_gone_at = UTC_TIMESTAMP(6) WHERE topic = %s AND partition_id = %s",
            tuple(partition),
        )


def announce_required(cursor: Cursor) -> bool:
    """Whether records were lost unread, so that only an announcement makes the projection consistent."""
    cursor.execute("SELECT 1 FROM consumer_offsets WHERE history_gone_at IS NOT NULL LIMIT 1")
    return cursor.fetchone() is not None


def mark_reconciled(cursor: Cursor, since: object) -> None:
    """The projection was found consistent after `since` (naive UTC): what was lost before is made up for."""
    cursor.execute("UPDATE consumer_offsets SET history_gone_at = NULL WHERE history_gone_at <= %s", (since,))
