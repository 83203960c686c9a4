"""The records that the consumer applied last: where each was in Kafka, and what it changed."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, NamedTuple, TypeVar

from common.events.dead_letters import sequence_header
from common.events.recent import RecentEvents, text
from common.mysql import Cursor

_LARGEST_SEQUENCE = 2**63 - 1
_REASON_CHARACTERS = 500
_LAST_MILLISECOND = 253_402_300_799_999  # the end of the year 9999: a timestamp in microseconds is no date

E = TypeVar("E")


class Consumed(NamedTuple):
    """A record and its outcome: applied; stale, which changed nothing; parked, with the reason and its dead letter."""

    record: Any
    outcome: str
    reason: str | None = None
    dead_letter_id: int | None = None


@dataclass(frozen=True)
class ConsumedEvents(Generic[E]):
    """Adds to `recent`. The service passes in what only it knows.

    - `describe(record)` returns the service's own fields, also for an unreadable record.
    - `which_change(cursor, earlier, last)` runs before a batch is applied. For each of the last records it returns
      whether the record changes the projection when all records are applied in order, `earlier` first.
    - `clock()` is the database's time in microseconds since 1970.
    """

    recent: RecentEvents
    describe: Callable[[Any], Mapping[str, Any]]
    which_change: Callable[[Cursor, Sequence[E], Sequence[Sequence[E]]], Sequence[bool]]
    clock: Callable[[], int]

    def stopwatch(self) -> Callable[[], int]:
        """The clock from now on, without a statement that could fail after the COMMIT."""
        reading, started = self.clock(), time.monotonic()
        return lambda: reading + int((time.monotonic() - started) * 1_000_000)

    def add(self, consumed: Sequence[Consumed], committed_us: int) -> None:
        """Add the records of a batch, or the last of them, that was committed at that time."""
        self.recent.add(self._entry(each, committed_us) for each in consumed)

    def _entry(self, consumed: Consumed, committed_us: int) -> dict[str, Any]:
        record, outcome, reason, dead_letter_id = consumed
        headers = dict(record.headers)
        occurred_us = _occurred_us(headers.get("occurred_at"), record.timestamp)
        return {
            **self.describe(record),
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "key": text(record.key),
            "sequence": _sequence(sequence_header(headers)),
            "event_id": text(headers.get("event_id")),
            "applied_after_ms": None if occurred_us is None else (committed_us - occurred_us) / 1000,
            "outcome": outcome,
            "reason": reason and reason[:_REASON_CHARACTERS],
            "dead_letter": f"/dead-letters/{dead_letter_id}" if dead_letter_id else None,
            "request_id": text(headers.get("request_id")),
        }


def _sequence(header: bytes | None) -> int | None:
    if header is None or not header.isdigit() or len(header) > len(str(_LARGEST_SEQUENCE)):
        return None
    return sequence if (sequence := int(header)) <= _LARGEST_SEQUENCE else None


def _occurred_us(occurred_at: bytes | None, timestamp_ms: int | None) -> int | None:
    """Microseconds since 1970: of the header, or of the record where it has none; None without a readable time."""
    if occurred_at is None:
        if timestamp_ms is None or not 0 <= timestamp_ms <= _LAST_MILLISECOND:
            return None
        return timestamp_ms * 1000
    try:
        moment = datetime.fromisoformat(occurred_at.decode("ascii"))
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1_000_000)
    except ValueError:
        return None


def header_values(records: Sequence[Any], name: str) -> list[str]:
    """The values of one header in the first ten records: enough to follow one request, short enough for a line."""
    values = (value for record in records[:10] for key, value in record.headers if key == name and value)
    return [value.decode("utf-8", "replace")[:128] for value in values]
