"""The outbox: events that wait for Kafka, written in the transaction of the change that they describe.

The id is only the order in which the relay reads. The relay sends the sequence and the event id as headers. Needs table
`outbox`.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from common.ids import random_id
from common.mysql import Cursor


class Event(NamedTuple):
    """An event to publish. `sequence` orders the events of one key; `Outbox.add` chooses the event id."""

    topic: str
    key: str
    value: str
    sequence: int


class Row(NamedTuple):
    """An event that waits. `sequence` and `event_id` are None in a row of a version that had neither."""

    id: int
    topic: str
    key: str
    value: str
    sequence: int | None
    event_id: str | None
    request_id: str | None
    created_at: datetime
    traceparent: str | None = None
    waiting_us: int = 0  # from created_at until the row was read, by the database's clock

    @property
    def published_sequence(self) -> int:
        """The id of a row without a sequence: the version that wrote it numbered its events so."""
        return self.id if self.sequence is None else self.sequence


# Not negative after the database's clock was corrected.
_WAITING_US = "GREATEST(0, TIMESTAMPDIFF(MICROSECOND, created_at, UTC_TIMESTAMP(6)))"


class Outbox:
    COUNTED = 10_000

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor

    def add(self, events: Sequence[Event], request_id: str | None = None, traceparent: str | None = None) -> None:
        """Append the events; they are sent with the next statement, COMMIT at the latest."""
        marks = ", ".join(["(%s, %s, %s, %s, %s, %s, %s)"] * len(events))
        self._cursor.queue(
            "INSERT INTO outbox (topic, message_key, payload, sequence, event_id, request_id, traceparent)"
            f" VALUES {marks}",
            [field for event in events for field in (*event, random_id(), request_id, traceparent)],
        )

    def oldest(self, limit: int) -> list[Row]:
        """At most `limit` rows, oldest first.

        Always from the lowest id: a row with a lower id may commit later. No lock, because the INSERTs of other
        transactions would wait for it.
        """
        self._cursor.execute(
            "SELECT id, topic, message_key, payload, sequence, event_id, request_id, created_at, traceparent,"
            f" {_WAITING_US}"
            " FROM outbox ORDER BY id LIMIT %s",
            (limit,),
        )
        return [Row(*row) for row in self._cursor.fetchall()]

    def remove(self, ids: Sequence[int]) -> None:
        """Delete exactly these rows, by primary key. A range would also delete a row that commits after the read."""
        # A join, because MariaDB scans a small table for `id IN (…)`, even with FORCE INDEX. A scan waits for the rows
        # that open transactions have inserted.
        self._cursor.execute(
            "DELETE outbox FROM JSON_TABLE(%s, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS acknowledged"
            " STRAIGHT_JOIN outbox ON outbox.id = acknowledged.id",
            (json.dumps(ids),),
        )

    def depth(self) -> tuple[int, float]:
        """(rows, counted up to COUNTED; seconds that the oldest row has waited, 0.0 without rows)."""
        self._cursor.execute(f"SELECT COUNT(*) FROM (SELECT id FROM outbox LIMIT {self.COUNTED}) AS counted")
        ((rows,),) = self._cursor.fetchall()
        self._cursor.execute(f"SELECT {_WAITING_US} / 1000000 FROM outbox ORDER BY id LIMIT 1")
        oldest = self._cursor.fetchone()
        return rows, round(float(oldest[0]), 3) if oldest else 0.0
