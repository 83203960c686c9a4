"""Resets sequences from the future: those that were chosen while the clock of a database was ahead.

A sequence is taken from the clock, so one from the future would outrank every event until that time has come.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from common.mysql import CLOCK, Cursor, Database, read_clock, repeat_on_conflict

AHEAD_SECONDS = 300  # further ahead of the clock, a sequence was not taken from a correct one
ROWS_AT_ONCE = 500  # locked until the commit


class WrongClock(Exception):
    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"the database's clock is {abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} this machine's"
            f" clock; at most {AHEAD_SECONDS} s are allowed: correct the clocks first"
        )


class Table(NamedTuple):
    """A table with a column `sequence` and its primary key; names of the program, never a user's."""

    name: str
    key: str


class Future(NamedTuple):
    """How many sequences are ahead of the clock, and by how many seconds the furthest is."""

    rows: int
    seconds: float


def reset_future(
    database: Database, table: Table, dry_run: bool = False, now: Callable[[], float] = time.time
) -> Future:
    """Set each sequence that is more than AHEAD_SECONDS ahead of the database's clock to the clock.

    Returns how many there were; a `dry_run` changes nothing. Other transactions continue. Raises WrongClock, and
    changes nothing, while the database's clock is still wrong.
    """
    seconds = database.read(read_clock) / 1_000_000 - now()
    if abs(seconds) > AHEAD_SECONDS:
        raise WrongClock(seconds)
    rows, furthest = 0, 0.0
    for batch in _batches(database, table):
        rows += len(batch)
        furthest = max(furthest, *(ahead for _, ahead in batch))
        if not dry_run:
            repeat_on_conflict(partial(_reset, database, table, [key for key, _ in batch]))
    return Future(rows, furthest)


def describe(future: Future, table: Table, dry_run: bool) -> str:
    """The outcome in a sentence."""
    if not future.rows:
        return f"{table.name}: no sequence is more than {AHEAD_SECONDS} s ahead of the clock"
    outcome = "would be reset to the clock (dry run)" if dry_run else "reset to the clock"
    return f"{table.name}: {future.rows} sequences ahead of the clock, by up to {future.seconds:.0f} s: {outcome}"


def _batches(database: Database, table: Table) -> Iterator[list[tuple[str, float]]]:
    """The (key, seconds ahead) of all sequences from the future, in key order."""
    after = ""
    while batch := database.read(_next_batch, table, after):
        yield batch
        after = batch[-1][0]


def _next_batch(cursor: Cursor, table: Table, after: str) -> list[tuple[str, float]]:
    cursor.execute(
        f"SELECT {table.key}, (sequence - {CLOCK}) / 1000000 FROM {table.name}"
        f" WHERE {table.key} > %s AND sequence > {CLOCK} + %s ORDER BY {table.key} LIMIT %s",
        (after, AHEAD_SECONDS * 1_000_000, ROWS_AT_ONCE),
    )
    return [(key, float(ahead)) for key, ahead in cursor.fetchall()]


def _reset(database: Database, table: Table, keys: Sequence[str]) -> None:
    marks = ", ".join(["%s"] * len(keys))
    with database.transaction() as cursor:
        cursor.execute(
            f"UPDATE {table.name} SET sequence = {CLOCK} WHERE {table.key} IN ({marks}) AND sequence > {CLOCK} + %s",
            (*keys, AHEAD_SECONDS * 1_000_000),
        )
