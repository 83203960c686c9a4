"""The stored offsets: where to read on, and the compare-and-set that guards a batch.

They live in the projection's own transactions, so that a record counts exactly when its offset does.
"""

from typing import NamedTuple


class PositionMoved(Exception):
    """The stored offset is not where this consumer believes it to be: what it holds must not be applied."""


class Position(NamedTuple):
    topic_id: str
    next_offset: int


class Start(NamedTuple):
    """Where to read on, and why not simply where it was left (None: it is)."""

    offset: int
    finding: str | None
    history_gone: bool = False


def start_at(stored, topic_id, beginning, end):
    """Where to begin in a log that holds the offsets from `beginning` to before `end`, given the stored Position."""
    if stored is None:
        if beginning > 0:
            return Start(beginning, "the log does not begin at 0 and nothing of it was read", history_gone=True)
        return Start(beginning, "reads for the first time")
    if stored.topic_id != topic_id:
        # What the old one still held unread went with it, and nobody knows whether it held any.
        return Start(beginning, "the topic was made anew", history_gone=True)
    if stored.next_offset > end:
        # Reading all of it again does no harm: the sequence guards each row.
        return Start(beginning, "the log was truncated", history_gone=beginning > 0)
    if stored.next_offset < beginning:
        return Start(beginning, "records were removed before they were read", history_gone=True)
    return Start(stored.next_offset, None)


def read(cursor, partitions):
    """{partition: Position} of those that are stored; a partition is a (topic, number)."""
    stored = {}
    for topic, number in partitions:
        cursor.execute(
            "SELECT topic_id, next_offset FROM consumer_offsets WHERE topic = %s AND partition_id = %s", (topic, number)
        )
        if row := cursor.fetchone():
            stored[topic, number] = Position(*row)
    return stored


def replace(cursor, partition, stored, topic_id, start):
    """Store another start in place of what `read` gave. Raises PositionMoved when it is no longer that."""
    topic, number = partition
    if stored is None:
        changed = cursor.execute(
            "INSERT IGNORE INTO consumer_offsets (topic, partition_id, topic_id, next_offset, history_gone_at)"
            " VALUES (%s, %s, %s, %s, IF(%s, UTC_TIMESTAMP(6), NULL))",
            (topic, number, topic_id, start.offset, start.history_gone),
        )
    else:
        changed = cursor.execute(
            "UPDATE consumer_offsets SET topic_id = %s, next_offset = %s,"
            " history_gone_at = IF(%s, UTC_TIMESTAMP(6), history_gone_at)"
            " WHERE topic = %s AND partition_id = %s AND topic_id = %s AND next_offset = %s",
            (topic_id, start.offset, start.history_gone, topic, number, *stored),
        )
    if changed != 1:
        raise PositionMoved(f"{topic}[{number}]")


def advance(cursor, partition, position, next_offset):
    """Move from `position` to `next_offset`, in the transaction that applies what lies between. Raises PositionMoved.

    Compare-and-set: it holds off a consumer that lost its partition without knowing, one that is ahead (a gap would
    be lost) and one that is behind (it would count twice).
    """
    topic, number = partition
    changed = cursor.execute(
        "UPDATE consumer_offsets SET next_offset = %s"
        " WHERE topic = %s AND partition_id = %s AND topic_id = %s AND next_offset = %s",
        (next_offset, topic, number, *position),
    )
    if changed != 1:
        raise PositionMoved(f"{topic}[{number}] is not at {position.next_offset}")


def history_gone(cursor):
    """Whether records were lost unread, so that only an announcement by the wallet makes the balances whole."""
    cursor.execute("SELECT 1 FROM consumer_offsets WHERE history_gone_at IS NOT NULL LIMIT 1")
    return cursor.fetchone() is not None


def history_is_whole(cursor, since):
    """The balances were found right after `since` (naive UTC): what was lost before is made good."""
    cursor.execute("UPDATE consumer_offsets SET history_gone_at = NULL WHERE history_gone_at <= %s", (since,))
