"""The read model: the table `balances` with the newest balance of each account."""

from collections.abc import Iterable, Iterator, Sequence
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
_WITHOUT_SEQUENCE = """
    INSERT INTO balances (account_id, balance, sequence, updated_at) VALUES (%s, %s, %s, %s)
    ON DUPLICATE KEY UPDATE balance = VALUES(balance), updated_at = VALUES(updated_at)
"""
# The update changes nothing. INSERT IGNORE would also ignore errors in the data.
_INSERT_IF_ABSENT = """
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
    """Apply the balances in their order; return how many rows, after folding, were stale: not newer than the stored."""
    stale = 0
    for statement, rows in fold(balances):
        # In key order, so that two consumers of the same accounts cannot deadlock.
        cursor.executemany(statement, sorted(rows, key=itemgetter(0)))
        if statement is _NEWER:
            # `upserted` counts the inserted and the changed rows. Each other row was stale.
            stale += max(0, len(rows) - cursor.upserted)
    return stale


def fold(balances: Iterable[Balance]) -> Iterator[tuple[str, list[Row]]]:
    """Pairs of (statement, rows): few statements with the same result as one statement for each balance.

    - A creation only inserts: after another record of its account it changes nothing. So creations that come first for
      their account can run before the rest of the batch.
    - Balances with a sequence fold to the highest one of each account, in any order.
    - Balances without a sequence apply in their order: each run of them is one statement.
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
        yield _INSERT_IF_ABSENT, _rows(creations)
    for has_sequence, run in groupby(changes, lambda each: each.sequence is not None):
        if has_sequence:
            yield _NEWER, _rows(_highest(run))
        else:
            yield _WITHOUT_SEQUENCE, _rows({each.account_id: each for each in run}.values())


def which_change(cursor: Cursor, earlier: Iterable[Balance], last: Sequence[Sequence[Balance]]) -> list[bool]:
    """For each of the last records: whether it changes a row when all records are applied in order, `earlier` first.

    Reads the rows of the last records' accounts with one statement, before `apply`. The result is for display: another
    consumer may change one of these rows in between.
    """
    account_ids = sorted({each.account_id for balances in last for each in balances})
    if not account_ids:
        return [False] * len(last)
    marks = ", ".join(["%s"] * len(account_ids))
    cursor.execute(f"SELECT account_id, sequence FROM balances WHERE account_id IN ({marks})", account_ids)
    known: dict[str, int | None] = dict.fromkeys(account_ids) | dict(cursor.fetchall())
    for each in earlier:
        if each.account_id in known:
            _changes_row(known, each)
    changed = [[_changes_row(known, each) for each in balances] for balances in last]
    return [any(rows) for rows in changed]


def _changes_row(known: dict[str, int | None], balance: Balance) -> bool:
    """Whether the balance changes its row. `known` maps each account to its sequence, or None if absent.

    The function updates `known`.
    """
    sequence = known[balance.account_id]
    if sequence is None:
        known[balance.account_id] = balance.sequence or 0
        return True
    if balance.creation or (balance.sequence is not None and balance.sequence <= sequence):
        return False
    known[balance.account_id] = max(sequence, balance.sequence or 0)
    return True


def find(cursor: Cursor, account_id: str, for_update: bool = False) -> Row | None:
    """The Row of the account or None; `for_update` locks it until the transaction ends."""
    cursor.execute(
        f"SELECT {_COLUMNS} FROM balances WHERE account_id = %s{' FOR UPDATE' if for_update else ''}", (account_id,)
    )
    row = cursor.fetchone()
    # MySQL pads with spaces before it compares: '01 ' would find '01'.
    return Row(*row) if row and row[0] == account_id else None


def list_after(cursor: Cursor, after: str, limit: int) -> list[Row]:
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
