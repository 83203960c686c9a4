"""Dead letters without their key, value and headers, each of which may have a megabyte."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from common.events.dead_letters import Parked
from common.mysql import Cursor


class Summary(NamedTuple):
    """A parked record. `value_bytes`: the size of its value in Kafka, None for null. `complete`: all is stored."""

    id: int
    topic: str
    partition: int
    offset: int
    error: str
    parked_at: datetime
    value_bytes: int | None
    complete: bool


def list_before(cursor: Cursor, before: int, limit: int) -> list[Summary]:
    """At most `limit` parked records with an id lower than `before`, the newest first."""
    cursor.execute(
        "SELECT id, topic, partition_id, record_offset, error, parked_at, COALESCE(value_bytes, LENGTH(record_value)),"
        " value_bytes IS NULL FROM dead_letters WHERE state = 'parked' AND id < %s ORDER BY id DESC LIMIT %s",
        (before, limit),
    )
    return [Summary(*row)._replace(complete=bool(row[-1])) for row in cursor.fetchall()]


def find_ids(cursor: Cursor, parked: Sequence[Parked]) -> dict[tuple[str, int, int], int]:
    """{(topic, partition, offset): id} of the parked records, which this transaction has stored."""
    places = [(topic_id, each.topic, each.partition, each.offset) for each, topic_id, _ in parked]
    marks = ", ".join(["(%s, %s, %s, %s)"] * len(places))
    cursor.execute(
        "SELECT topic, partition_id, record_offset, id FROM dead_letters"
        f" WHERE (topic_id, topic, partition_id, record_offset) IN ({marks})",
        [field for place in places for field in place],
    )
    return {(topic, partition, offset): number for topic, partition, offset, number in cursor.fetchall()}
