"""The database of Balances: READ COMMITTED, row locks, and COMMITs whose response is lost."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

from balances import projection
from common.events import offsets
from common.events.offsets import StoredOffset
from common.mysql import Conflict, DatabaseUnavailable

if TYPE_CHECKING:
    from tests.simulation.world import World

Key = tuple[Any, ...]  # ("offset", topic, partition), ("balance", account id) or ("dead letter", topic id, …, offset)


class Offset(NamedTuple):
    stored: StoredOffset
    data_loss: bool


class ReadModel:
    """A transaction that wants a row which another has changed and not committed gets a Conflict."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.committed: dict[Key, Any] = {}
        self._open: list[Transaction] = []

    def offset(self, tp: tuple[str, int]) -> StoredOffset | None:
        row = self.committed.get(("offset", *tp))
        return row and row.stored

    def announce_required(self) -> bool:
        return any(row.data_loss for key, row in self.committed.items() if key[0] == "offset")

    def restore(self, backup: dict[Key, Any]) -> None:
        self.committed = dict(backup)
        for transaction in self._open:
            transaction.lost = True

    def read(self, query: Callable[..., Any], *arguments: Any) -> Any:
        return query(Transaction(self._world, self), *arguments)

    @contextmanager
    def transaction(self) -> Iterator["Transaction"]:
        self._world.between_calls(can_fail=[DatabaseUnavailable("no connection")])
        work = Transaction(self._world, self)
        self._open.append(work)
        try:
            yield work
            self._world.between_calls(can_fail=[DatabaseUnavailable("lost before the COMMIT")])
            self._commit(work)
        finally:
            self._open.remove(work)
        self._world.between_calls(can_fail=[DatabaseUnavailable("the COMMIT's response was lost")])

    def is_locked(self, key: Key, by_other_than: "Transaction") -> bool:
        return any(key in each.changed for each in self._open if each is not by_other_than)

    def _commit(self, work: "Transaction") -> None:
        if work.lost:
            raise DatabaseUnavailable("the server was replaced")
        for key, row in work.changed.items():
            if key[0] == "balance" and (old := self.committed.get(key)):
                assert row.sequence >= old.sequence, f"{key[1]} went back: {old} became {row}"
        self.committed.update(work.changed)


class Transaction:
    """A cursor that understands the statements of offsets, projection and dead letters."""

    connection = SimpleNamespace(packet_bytes=16 * 1024 * 1024)

    def __init__(self, world: "World", database: ReadModel) -> None:
        self._world, self._database = world, database
        self.changed: dict[Key, Any] = {}
        self.lost = False
        self.upserted = 0
        self._rows: list[Any] = []

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> int:
        self._call()
        if statement.startswith(
            "SELECT topic, partition_id, topic_id, next_offset, leader_epoch FROM consumer_offsets"
        ):
            rows = {**self._database.committed, **self.changed}
            self._rows = [(*key[1:], *row.stored) for key, row in rows.items() if key[0] == "offset"]
            return len(self._rows)
        if statement == offsets._MOVE_ONE:
            *new, topic, number, topic_id, offset = parameters
            return int(self._move((topic, number), (topic_id, offset), StoredOffset(*new)))
        if statement.startswith("UPDATE JSON_TABLE"):
            return sum(
                self._move((topic, number), (topic_id, offset), StoredOffset(*new))
                for topic, number, topic_id, offset, *new in json.loads(parameters[0])
            )
        raise NotImplementedError(statement)

    def queue(self, statement: str, parameters: Sequence[Any]) -> None:
        """Only losses of data are queued. Here the statement runs at once."""
        assert statement.startswith("UPDATE consumer_offsets SET history_gone_at"), statement
        if "announce" not in self._world.broken:
            self._change(("offset", *parameters), lambda old: old and old._replace(data_loss=True))

    def executemany(self, statement: str, rows: Sequence[Any]) -> int:
        self._call()
        self.upserted = len(rows)
        if statement.startswith("INSERT IGNORE INTO consumer_offsets"):
            return sum(self._insert_offset(*row) for row in rows)
        if statement.startswith("INSERT INTO dead_letters"):
            for topic_id, topic, number, offset, *_ in rows:
                self._change(("dead letter", topic_id, topic, number, offset), lambda old: "parked")
            return len(rows)
        allowed: Callable[[Any, Any], bool] = {
            projection._NEWER: lambda old, new: old is None or new.sequence > old.sequence,
            projection._WITHOUT_SEQUENCE: lambda old, new: True,
            projection._INSERT_IF_ABSENT: lambda old, new: old is None,
        }[statement]
        for row in (projection.Row(*values) for values in rows):
            self._change(("balance", row.account_id), partial(_if_allowed, allowed, row))
        return len(rows)

    def fetchall(self) -> list[Any]:
        return self._rows

    def _call(self) -> None:
        self._world.between_calls(can_fail=[DatabaseUnavailable("lost")])
        if self.lost:
            raise DatabaseUnavailable("the server was replaced")

    def _insert_offset(self, topic: str, number: int, topic_id: str, next_offset: int) -> int:
        row = Offset(StoredOffset(topic_id, next_offset), data_loss=False)
        return self._change(("offset", topic, number), lambda old: row if old is None else None)

    def _move(self, tp: tuple[str, int], expected: tuple[str, int], stored: StoredOffset) -> int:
        def moved(old: Offset | None) -> Offset | None:
            if old is None or ("compare-and-set" not in self._world.broken and expected != old.stored[:2]):
                return None
            return Offset(stored, old.data_loss)

        return self._change(("offset", *tp), moved)

    def _change(self, key: Key, change: Callable[[Any], Any]) -> int:
        if self._database.is_locked(key, by_other_than=self):
            raise Conflict(f"{key} is locked")
        row = change(self.changed.get(key, self._database.committed.get(key)))
        if row is None:
            return 0
        self.changed[key] = row
        return 1


def _if_allowed(allowed: Callable[[Any, Any], bool], row: projection.Row, old: Any) -> projection.Row | None:
    return row if allowed(old, row) else None
