"""The events that the relay published last: where Kafka stored each, and how long that took."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from common.events.outbox import Row
from common.events.recent import LIMIT, RecentEvents
from common.json_text import rfc3339


@dataclass(frozen=True)
class PublishedEvents:
    """Adds to `recent`. `describe` gives the fields that only the service knows."""

    recent: RecentEvents
    describe: Callable[[Row], Mapping[str, Any]]

    def add(self, rows: Sequence[Row], acknowledgements: Sequence[Any], seconds: float) -> None:
        """Add the last of the rows, each with Kafka's acknowledgement, `seconds` after the rows were read."""
        last = zip(rows[-LIMIT:], acknowledgements[-LIMIT:], strict=True)
        self.recent.add(self._entry(row, acknowledgement, seconds) for row, acknowledgement in last)

    def _entry(self, row: Row, acknowledgement: Any, seconds: float) -> dict[str, Any]:
        # The database's clock measured the first part, this process's monotonic clock the second.
        milliseconds = row.waiting_us / 1000 + seconds * 1000
        return {
            **self.describe(row),
            "event_id": row.event_id,
            "sequence": row.published_sequence,
            "key": row.key,
            "topic": acknowledgement.topic,
            "partition": acknowledgement.partition,
            # A repeated request is acknowledged without the offset.
            "offset": acknowledgement.offset if acknowledgement.offset >= 0 else None,
            "acknowledged_after_ms": round(milliseconds, 1),
            "request_id": row.request_id,
            "occurred_at": rfc3339(row.created_at),
        }
