"""The read model: the last known balance of each account, and the statements that keep it."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from balances.messages import Balance
from common.mysql import Cursor

# `sequence` is assigned last: MySQL assigns from left to right, so the lines before it compare with the old one.
_NEWER = """
    INSERT INTO balances (account_id, balance, sequence, updated_at) VALUES (%s, %s, %s, %s)
    ON DUPLICATE KEY UPDATE
        balance = IF(VALUES(sequence) > sequence, VALUES(balance), balance),
        updated_at = IF(VALUES(sequence) > sequence, VALUES(updated_at), updated_at),
        sequence = GREATEST(sequence, VALUES(sequence))
"""
_IN_ORDER = """
    INSERT INTO balances (account_id, balance, sequence, updated_at) VALUES (%s, %s, %s, %s)
    ON DUPLICATE KEY UPDATE balance = VALUES(balance), updated_at = VALUES(updated_at)
"""
_ABSENT = """
    INSERT INTO balances (account_id, balance, sequence, updated_at) VALUES (%s, %s, %s, %s)
    ON DUPLICATE KEY UPDATE account_id = balances.account_id
"""
_COLUMNS = "account_id, balance, sequence, updated_at"


class Row(NamedTuple):
    account_id: str
    balance: Decimal
    sequence: int
    updated_at: datetime


def apply(cursor: Cursor, balances: Iterable[Balance]) -> int:
    """Apply the balances in their order; give how many rows were stale: no newer than the stored ones."""
    stale = 0
    for statement, rows in fold(balances):
        # In order of their keys, so that two consumers of the same accounts cannot deadlock.
        cursor.executemany(statement, sorted(rows, key=itemgetter(0)))
        if statement is _NEWER:
            stale += max(0, len(rows) - cursor.upserted)
    return stale


def fold(balances: Iterable[Balance]) -> Iterator[tuple[str, list[Row]]]:
    """Few statements with exactly the outcome of one statement for each balance: pairs of (statement, rows).

    A creation only inserts. Behind any other record of its account it finds a row and changes nothing. In front of all
    of them it may run before the rest of the batch. Balances with a sequence fold to the highest of each account,
    whatever their order. Balances without one apply in their order: they end the run of those before them.
    """
    seen: set[str] = set()
    creations: list[Balance] = []
    changes: list[Balance] = []
    for each in balances:
        if not each.creation:
            changes.append(each)
        elif each.account_id not in seen:
            creations.append(each)
        seen.add(each.account_id)
    if creations:
        yield _ABSENT, _rows(creations)
    for has_sequence, run in groupby(changes, lambda each: each.sequence is not None):
        if has_sequence:
            yield _NEWER, _rows(_highest(run))
        else:
            yield _IN_ORDER, _rows({each.account_id: each for each in run}.values())


def find(cursor: Cursor, account_id: str, for_update: bool = False) -> Row | None:
    """The account's Row or None; locked until the transaction ends if `for_update` is given."""
    cursor.execute(
        f"SELECT {_COLUMNS} FROM balances WHERE account_id = %s{' FOR UPDATE' if for_update else ''}", (account_id,)
    )
    row = cursor.fetchone()
    # MySQL pads with spaces before it compares: '01' would be found for '01 '.
    return Row(*row) if row and row[0] == account_id else None


def page(cursor: Cursor, after: str, limit: int) -> list[Row]:
    """At most `limit` Rows whose ids come after `after`, in id order."""
    cursor.execute(
        f"SELECT {_COLUMNS} FROM balances WHERE account_id > %s ORDER BY account_id LIMIT %s", (after, limit)
    )
    return [Row(*row) for row in cursor.fetchall()]


def _highest(run: Iterable[Balance]) -> Iterable[Balance]:
    """The balance with the highest sequence of each account; the first where several have it."""
    highest: dict[str, Balance] = {}
    for each in run:
        known = highest.get(each.account_id)
        if known is None or (each.sequence or 0) > (known.sequence or 0):
            highest[each.account_id] = each
    return highest.values()


def _rows(balances: Iterable[Balance]) -> list[Row]:
    return [Row(each.account_id, each.balance, each.sequence or 0, each.updated_at) for each in balances]
