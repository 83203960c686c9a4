"""The read model: the last known balance of each account, and the statements that keep it."""

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from balances.messages import Balance
from common.mysql import Cursor

Values = tuple[str, Decimal, int, datetime]  # of one row

# `sequence` is assigned last: MySQL assigns from left to right, and what stands before compares with the old one.
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
    """Take over the balances (messages.Balance), in this order, unless newer ones are here already.

    Give how many of the rows were stale: no newer than those that are here.
    """
    stale = 0
    for statement, rows in fold(balances):
        # In order of their keys, so that two consumers that meet cannot deadlock.
        cursor.executemany(statement, sorted(rows, key=itemgetter(0)))
        if statement is _NEWER:
            stale += max(0, len(rows) - cursor.upserted)
    return stale


def fold(balances: Iterable[Balance]) -> Iterator[tuple[str, list[Values]]]:
    """The fewest statements with the same outcome as one for each balance: pairs of (statement, rows).

    Balances with a sequence fold to the highest of each account, whatever order they come in. Those without a sequence
    keep the order they come in: they end the run before them, and fold to the last of each account.
    """
    for numbered, run in groupby(balances, lambda each: each.sequence is not None):
        if numbered:
            created: dict[str, Balance] = {}
            newest: dict[str, Balance] = {}
            for each in run:
                if each.creation:
                    # Behind an update the row exists by then: a creation changes nothing.
                    if each.account_id not in newest:
                        created.setdefault(each.account_id, each)
                elif (known := newest.get(each.account_id)) is None or _sequence(each) > _sequence(known):
                    newest[each.account_id] = each
            yield from _statements((_ABSENT, created.values()), (_NEWER, newest.values()))
        else:
            for creation, part in groupby(run, lambda each: each.creation):
                if creation:
                    yield from _statements((_ABSENT, {each.account_id: each for each in reversed(list(part))}.values()))
                else:
                    yield from _statements((_IN_ORDER, {each.account_id: each for each in part}.values()))


def find(cursor: Cursor, account_id: str, for_update: bool = False) -> Row | None:
    """The account's Row, locked until the transaction ends if asked to, or None."""
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


def _sequence(balance: Balance) -> int:
    return balance.sequence or 0


def _statements(*folded: tuple[str, Collection[Balance]]) -> Iterator[tuple[str, list[Values]]]:
    for statement, balances in folded:
        if balances:
            yield statement, [(each.account_id, each.balance, each.sequence or 0, each.updated_at) for each in balances]
