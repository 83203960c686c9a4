"""Applies batches of records to a projection: data, stored offsets and dead letters change in one transaction."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import pymysql

from common.events import dead_letters, offsets
from common.events.assignment import Batch
from common.events.dead_letters import Parked, UnreadableRecord
from common.events.offsets import Partition, StoredOffset
from common.mysql import Cursor, Database

log = logging.getLogger("consumer")

E = TypeVar("E")


@dataclass(frozen=True)
class Projection(Generic[E]):
    """What the consumer feeds. `parse` raises UnreadableRecord; `apply` returns how many events were stale."""

    topics: Sequence[str]
    parse: Callable[[Any], Sequence[E]]
    apply: Callable[[Cursor, Sequence[E]], int]


class Outcome(NamedTuple):
    """How many records were applied and how many parked, and how many events were stale."""

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

        Raises OffsetMoved when another consumer was faster, DatabaseUnavailable (the COMMIT may have taken effect) and
        Conflict. A record that can never be applied is parked.
        """
        records = [record for batch in self.batches.values() for record in batch.records]
        try:
            return self._apply_together(database, records)
        except (pymysql.DataError, pymysql.IntegrityError) as error:
            log.error("MySQL refused a value; retrying the batch record by record", extra={"reason": str(error)[:200]})
            return self._apply_one_by_one(database, records)

    def _apply_together(self, database: Database, records: Sequence[Any]) -> Outcome:
        events: list[E] = []
        parked = []
        for record in records:
            try:
                events.extend(self.projection.parse(record))
            except UnreadableRecord as error:
                parked.append(self._to_park(record, error))
        with database.transaction() as cursor:
            self._advance(cursor)
            stale = self.projection.apply(cursor, events)
            if parked:
                dead_letters.park(cursor, parked)
        return Outcome(len(records) - len(parked), len(parked), stale)

    def _apply_one_by_one(self, database: Database, records: Sequence[Any]) -> Outcome:
        parked, stale = [], 0
        with database.transaction() as cursor:
            self._advance(cursor)
            for record in records:
                cursor.execute("SAVEPOINT record")
                try:
                    stale += self.projection.apply(cursor, self.projection.parse(record))
                except (UnreadableRecord, pymysql.DataError, pymysql.IntegrityError) as error:
                    cursor.execute("ROLLBACK TO SAVEPOINT record")
                    parked.append(self._to_park(record, error))
            if parked:
                dead_letters.park(cursor, parked)
        return Outcome(len(records) - len(parked), len(parked), stale)

    def _advance(self, cursor: Cursor) -> None:
        """Move the stored offsets. This is the first statement: if it fails, nothing was changed."""
        moves = {partition: (self.positions[partition], batch.next_offset) for partition, batch in self.batches.items()}
        offsets.advance(cursor, moves)
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
