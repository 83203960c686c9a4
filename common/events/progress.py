"""How far a projection is behind the log: pure bookkeeping of what Kafka and MySQL held when they were asked.

The lag counts every partition of the topics, whichever member of the group consumes it, and whether one does.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from common.events.offsets import Partition, StoredOffset

STALLED_SECONDS = 10  # without a move, with records to read: longer than a rebalance takes
LISTED = 100  # partitions in a snapshot, those with a lag first
CLOCK_TOLERANCE_SECONDS = 5  # a record's timestamp is its producer's clock: one that is further ahead is wrong


@dataclass
class _Seen:
    """One partition as it was last observed; `moved_at` and `behind_since` are times of this process's clock."""

    position: int = 0
    end: int = 0
    moved_at: float = 0.0
    behind_since: float | None = None
    read_until: float | None = None  # seconds since 1970: the timestamp of the record applied last

    @property
    def lag(self) -> int:
        return max(0, self.end - self.position)


@dataclass
class Progress:
    """Fed by the consumer; `now` is seconds since 1970 everywhere."""

    events: dict[str, int] = field(default_factory=lambda: {"applied": 0, "parked": 0, "stale": 0})
    last_event_at: float | None = None
    caught_up_at: float | None = None  # all records that Kafka held at this time are applied
    _partitions: dict[Partition, _Seen] = field(default_factory=dict)
    _target: tuple[float, dict[Partition, int]] | None = None  # ends as of a time, to be reached

    def restore(self, snapshot: Mapping[str, Any], taken_at: float) -> None:
        """Continue from a snapshot of an earlier consumer: a partition that one failure after another stops is stalled.

        An empty snapshot changes nothing.
        """
        self.last_event_at, self.caught_up_at = snapshot.get("last_event_at"), snapshot.get("caught_up_at")
        self.events.update(snapshot.get("events", {}))
        for entry in snapshot.get("partitions", []):
            position, lag, since = entry["position"], entry["lag"], taken_at - entry["lag_seconds"]
            seen = _Seen(position, position + lag, moved_at=since, behind_since=since if lag else None)
            self._partitions[Partition(entry["topic"], entry["partition"])] = seen

    def observe(
        self,
        ends: Mapping[Partition, int],
        stored: Mapping[Partition, StoredOffset],
        asked_at: float,
        complete: bool = True,
    ) -> None:
        """Take over the ends of the logs, asked for at `asked_at`, and the stored offsets, which were read later.

        `complete`: no topic is missing; otherwise it is unknown whether everything was applied.
        """
        self._partitions = {partition: self._partitions.get(partition, _Seen()) for partition in ends}
        for partition, end in ends.items():
            seen = self._partitions[partition]
            position = stored[partition].next_offset if partition in stored else 0
            if position != seen.position or not seen.moved_at:
                seen.position, seen.moved_at = position, asked_at
            seen.end = end
            self._note_lag(seen, asked_at)
        if complete and ends:
            self._check_target(asked_at, ends)
        else:
            self._target = None

    def applied(
        self, moves: Mapping[Partition, int], timestamps: Mapping[Partition, int], counts: Mapping[str, int], now: float
    ) -> None:
        """A batch was committed: the next offsets, the timestamp (ms) of each partition's last record, the outcomes."""
        for outcome, number in counts.items():
            self.events[outcome] += number
        for partition, next_offset in moves.items():
            seen = self._partitions.setdefault(partition, _Seen())
            seen.position, seen.moved_at = next_offset, now
            seen.end = max(seen.end, next_offset)
            self._note_lag(seen, now)
        for partition, milliseconds in timestamps.items():
            self._note_timestamp(self._partitions[partition], milliseconds / 1000, now)

    def snapshot(self, consumed: Iterable[Partition], now: float) -> dict[str, Any]:
        """What /ready and /metrics show, as JSON can hold it; `consumed`: the partitions that this process reads."""
        own = set(consumed)
        entries = [self._entry(partition, seen, partition in own, now) for partition, seen in self._partitions.items()]
        entries.sort(key=lambda entry: (not entry["stalled"], -entry["lag"], entry["topic"], entry["partition"]))
        return {
            "lag": sum(seen.lag for seen in self._partitions.values()),
            "caught_up_at": self.caught_up_at,
            "last_event_at": self.last_event_at,
            "events": self.events,
            "stalled": sum(entry["stalled"] for entry in entries),
            "partitions_total": len(entries),
            "partitions_consumed": len(own),
            "partitions": sorted(entries[:LISTED], key=lambda entry: (entry["topic"], entry["partition"])),
        }

    def stalled(self, now: float) -> list[Partition]:
        """The partitions that should move and do not."""
        return sorted(partition for partition, seen in self._partitions.items() if _is_stalled(seen, now))

    def _entry(self, partition: Partition, seen: _Seen, consumed: bool, now: float) -> dict[str, Any]:
        return {
            "topic": partition.topic,
            "partition": partition.partition,
            "position": seen.position,
            "lag": seen.lag,
            "lag_seconds": _lag_seconds(seen, now),
            "consumed": consumed,
            "stalled": _is_stalled(seen, now),
        }

    def _note_timestamp(self, seen: _Seen, seconds: float, now: float) -> None:
        """From a clock that is ahead, only the record's arrival is known; from one without a time, nothing."""
        if seconds < 0:
            return
        is_possible = seconds <= now + CLOCK_TOLERANCE_SECONDS
        seen.read_until = seconds if is_possible else None
        self.last_event_at = max(self.last_event_at or 0.0, min(seconds, now))

    def _note_lag(self, seen: _Seen, now: float) -> None:
        if not seen.lag:
            seen.behind_since = None
        elif seen.behind_since is None:
            seen.behind_since = now

    def _check_target(self, asked_at: float, ends: Mapping[Partition, int]) -> None:
        if self._target and all(
            partition in self._partitions and self._partitions[partition].position >= end
            for partition, end in self._target[1].items()
        ):
            self.caught_up_at, self._target = self._target[0], None
        if all(not seen.lag for seen in self._partitions.values()):
            self.caught_up_at, self._target = asked_at, None
        elif self._target is None:
            self._target = asked_at, dict(ends)


def _lag_seconds(seen: _Seen, now: float) -> float:
    """How long the oldest unread record has waited at most; 0 where there is none."""
    if not seen.lag:
        return 0.0
    known = [moment for moment in (seen.read_until, seen.behind_since) if moment is not None]
    return round(max(0.0, now - max(known)), 3) if known else 0.0


def _is_stalled(seen: _Seen, now: float) -> bool:
    since = max(seen.moved_at, seen.behind_since or 0.0)
    return bool(seen.lag) and now - since >= STALLED_SECONDS
