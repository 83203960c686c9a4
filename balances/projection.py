"""The read model: the table `balances` with the newest balance of each account."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from balances.messages import Balance
from common.mysql import Cursor

# MySQL assigns from left to right: `sequence` is last, so that the lines before it compare with the stored one.
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
    """Apply the balances in their order; return how many rows were stale: not newer than the stored ones."""
    stale = 0
    for statement, rows in fold(balances):
        # In key order, so that two consumers of the same accounts cannot deadlock.
        cursor.executemany(statement, sorted(rows, key=itemgetter(0)))
        if statement is _NEWER:
            stale += max(0, len(rows) - cursor.upserted)
    return stale


def fold(balances: Iterable[Balance]) -> Iterator[tuple[str, list[Row]]]:
    """Pairs of (statement, rows): few statements with the same result as one statement for each balance.

    A creation only inserts. After another record of its account it changes nothing; before all of them it can run
    before the rest of the batch. Balances with a sequence fold to the highest one of each account, in any order.
    Balances without a sequence apply in their order: each run of them is a statement of its own.
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
    """The Row of the account or None; `for_update` locks it until the transaction ends."""
    cursor.execute(
        f"SELECT {_COLUMNS} FROM balances WHERE account_id = %s{' FOR UPDATE' if for_update else ''}", (account_id,)
    )
    row = cursor.fetchone()
    # MySQL pads with spaces before it compares: '01 ' would find '01'.
    return Row(*row) if row and row[0] == account_id else None


def page(cursor: Cursor, after: str, limit: int) -> list[Row]:
    """At most `limit` Rows with an id higher than `after`, in id order."""
    cursor.execute(
        f"SELECT {_COLUMNS} FROM balances WHERE account_id > %s ORDER BY account_id LIMIT %s", (after, limit)
    )
    return [Row(*row) for row in cursor.fetchall()]


def _highest(run: Iterable[Balance]) -> Iterable[Balance]:
    """The balance with the highest sequence of each account, the first one of equal sequences."""
    highest: dict[str, Balance] = {}
    for each in run:
        known = highest.get(each.account_id)
        if known is None or (each.sequence or 0) > (known.sequence or 0):
            highest[each.account_id] = each
    return highest.values()


def _rows(balances: Iterable[Balance]) -> list[Row]:
    return [Row(each.account_id, each.balance, each.sequence or 0, each.updated_at) for each in balances]
