"""Applies batches of records to a projection: data, stored offsets and dead letters change in one transaction."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import pymysql

from common.events import dead_letters, offsets
from common.events.assignment import Batch
from common.events.consumed import Consumed, ConsumedEvents
from common.events.dead_letter_summaries import find_ids
from common.events.dead_letters import Parked, UnreadableRecord
from common.events.offsets import Partition, StoredOffset
from common.events.recent import LIMIT
from common.mysql import Cursor, Database

log = logging.getLogger("consumer")

E = TypeVar("E")


@dataclass(frozen=True)
class Projection(Generic[E]):
    """A read model: its topics, `parse` (record to events) and `apply` (events to rows).

    `parse` raises UnreadableRecord for a record that can never be applied. `apply` runs in the transaction that moves
    the stored offsets, and returns how many rows, after folding, were stale. A record is applied once, but a resent
    event is a new record. So `apply` needs a guard: a sequence for absolute values, common.events.inbox for sums.
    `consumed` is for display.
    """

    topics: Sequence[str]
    parse: Callable[[Any], Sequence[E]]
    apply: Callable[[Cursor, Sequence[E]], int]
    consumed: ConsumedEvents[E] | None = None


class Outcome(NamedTuple):
    """How many records were applied and how many parked, and how many rows were stale after folding."""

    applied: int
    parked: int
    stale: int


@dataclass(frozen=True)
class BatchTransaction(Generic[E]):
    """One transaction: the batches of a poll, and the stored offsets from which they continue."""

    projection: Projection[E]
    batches: Mapping[Partition, Batch]
    positions: Mapping[Partition, StoredOffset]

    def run(self, database: Database) -> Outcome:
        """Apply the batches and move the offsets, or change nothing.

        Raises OffsetMoved when another consumer was faster, DatabaseUnavailable and Conflict. The COMMIT may have taken
        effect only after OutcomeUnknown, a DatabaseUnavailable. A record that can never be applied is parked.
        """
        records = [record for batch in self.batches.values() for record in batch.records]
        view = self.projection.consumed
        stopwatch = view.stopwatch() if view and records else None
        try:
            outcome, consumed = self._apply_together(database, records)
        except (pymysql.DataError, pymysql.IntegrityError) as error:
            log.error("MySQL refused a value; retrying the batch record by record", extra={"reason": str(error)[:200]})
            outcome, consumed = self._apply_one_by_one(database, records)
        if view and stopwatch:
            view.add(consumed, stopwatch())
        return outcome

    def _apply_together(self, database: Database, records: Sequence[Any]) -> tuple[Outcome, list[Consumed]]:
        earlier, parked = self._parse(records[:-LIMIT])
        last = [self._parse([record]) for record in records[-LIMIT:]]
        parked += [each for _, refused in last for each in refused]
        events = earlier + [event for parsed, _ in last for event in parsed]
        with database.transaction() as cursor:
            self._advance(cursor)
            which_changed = self._which_change(cursor, earlier, [parsed for parsed, _ in last])
            stale = self.projection.apply(cursor, events)
            if parked:
                dead_letters.park(cursor, parked)
            consumed = self._consumed(cursor, records[-LIMIT:], which_changed, parked)
        return Outcome(len(records) - len(parked), len(parked), stale), consumed

    def _apply_one_by_one(self, database: Database, records: Sequence[Any]) -> tuple[Outcome, list[Consumed]]:
        parked: list[Parked] = []
        which_changed: list[bool] = []
        stale = 0
        with database.transaction() as cursor:
            self._advance(cursor)
            for record in records:
                cursor.execute("SAVEPOINT record")
                changed = False
                try:
                    events = self.projection.parse(record)
                    (changed,) = self._which_change(cursor, [], [events])
                    stale += self.projection.apply(cursor, events)
                except (UnreadableRecord, pymysql.DataError, pymysql.IntegrityError) as error:
                    cursor.execute("ROLLBACK TO SAVEPOINT record")
                    parked.append(self._to_park(record, error))
                which_changed.append(changed)
            if parked:
                dead_letters.park(cursor, parked)
            consumed = self._consumed(cursor, records[-LIMIT:], which_changed[-LIMIT:], parked)
        return Outcome(len(records) - len(parked), len(parked), stale), consumed

    def _parse(self, records: Sequence[Any]) -> tuple[list[E], list[Parked]]:
        parse = self.projection.parse
        events: list[E] = []
        parked = []
        for record in records:
            try:
                events.extend(parse(record))
            except UnreadableRecord as error:
                parked.append(self._to_park(record, error))
        return events, parked

    def _which_change(self, cursor: Cursor, earlier: Sequence[E], last: Sequence[Sequence[E]]) -> Sequence[bool]:
        """For each of the last records: whether it changes the projection. Runs before the records are applied."""
        view = self.projection.consumed
        return view.which_change(cursor, earlier, last) if view else [True] * len(last)

    def _consumed(
        self, cursor: Cursor, records: Sequence[Any], which_changed: Sequence[bool], parked: Sequence[Parked]
    ) -> list[Consumed]:
        """The records with their outcomes, for the view."""
        if not self.projection.consumed:
            return []
        refused = {_place(each.record): each for each in parked[-LIMIT:]}
        ids = find_ids(cursor, list(refused.values())) if refused else {}
        consumed = []
        for record, changed in zip(records, which_changed, strict=True):
            place = _place(record)
            if place in refused:
                consumed.append(Consumed(record, "parked", refused[place].reason, ids[place]))
            else:
                consumed.append(Consumed(record, "applied" if changed else "stale"))
        return consumed

    def _advance(self, cursor: Cursor) -> None:
        """Move the stored offsets. This is the first statement: if it fails, nothing was changed."""
        offsets.advance(
            cursor,
            {each: (self.positions[each], batch.moved(self.positions[each])) for each, batch in self.batches.items()},
        )
        if holes := [partition for partition, batch in self.batches.items() if batch.hole]:
            offsets.report_data_loss(cursor, holes)
            log.warning("records may be missing: the topic is compacted", extra=offsets.named(holes))

    def _to_park(self, record: Any, error: Exception) -> Parked:
        topic, partition, offset = record.topic, record.partition, record.offset
        reason = str(error)
        log.error(
            "record parked", extra={"topic": topic, "partition": partition, "offset": offset, "reason": reason[:200]}
        )
        return Parked(record, self.positions[Partition(topic, partition)].topic_id, reason)


def _place(record: Any) -> tuple[str, int, int]:
    return record.topic, record.partition, record.offset
