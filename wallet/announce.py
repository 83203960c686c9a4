"""Publishes the current balances of accounts, for a read model that missed events."""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial

from common.events.outbox import Outbox
from common.mysql import Cursor, Database, repeat_on_conflict
from wallet import use_cases
from wallet.domain import Account
from wallet.repositories import AccountRepository
from wallet.unit_of_work import unit_of_work

ACCOUNTS_AT_ONCE = 100  # locked until the commit: a transfer of one of them waits some milliseconds
OUTBOX_ROWS = 5000  # the events of a transfer wait for at most so many announcements: three batches of the relay
POLL_INTERVAL_SECONDS = 0.05  # between two reads of a full outbox
PROGRESS_SECONDS = 5
REQUEST_ID = "announce"  # distinguishes these events from those of transfers in the log of Balances


def announce_accounts(
    database: Database, account_ids: Sequence[str], after: str, progress: Callable[[str], None]
) -> Iterator[list[str]]:
    """Announce these accounts; without any, all accounts with an id higher than `after`. Transfers continue.

    Yields the ids of each batch after its commit, in id order. Waits without limit while the outbox has OUTBOX_ROWS
    rows or more, and calls `progress(sentence)` every PROGRESS_SECONDS. Raises AccountNotFound before anything is
    announced.
    """
    account_ids = sorted(set(account_ids))
    for account_id in account_ids:
        database.read(_find, account_id)
    for batch in _batches(account_ids) if account_ids else _all_batches(database, after):
        _wait_for_the_relay(database, progress)
        repeat_on_conflict(partial(_announce, database, batch))
        yield batch


def _announce(database: Database, account_ids: list[str]) -> None:
    with unit_of_work(database, REQUEST_ID) as work:
        use_cases.announce_balances(work, account_ids, datetime.now(UTC).replace(tzinfo=None))


def _wait_for_the_relay(database: Database, progress: Callable[[str], None]) -> None:
    report_at = time.monotonic() + PROGRESS_SECONDS
    while (rows := database.read(_outbox_rows)) >= OUTBOX_ROWS:
        if time.monotonic() >= report_at:
            report_at = time.monotonic() + PROGRESS_SECONDS
            progress(f"the outbox has {rows} rows or more: waiting for the relay of the wallet to publish them")
        time.sleep(POLL_INTERVAL_SECONDS)


def _batches(account_ids: list[str]) -> Iterator[list[str]]:
    return (account_ids[start : start + ACCOUNTS_AT_ONCE] for start in range(0, len(account_ids), ACCOUNTS_AT_ONCE))


def _all_batches(database: Database, after: str) -> Iterator[list[str]]:
    while accounts := database.read(_next_accounts, after):
        yield [account.id for account in accounts]
        after = accounts[-1].id


def _next_accounts(cursor: Cursor, after: str) -> list[Account]:
    return AccountRepository(cursor).list_after(after, ACCOUNTS_AT_ONCE)


def _find(cursor: Cursor, account_id: str) -> Account:
    return AccountRepository(cursor).find(account_id)


def _outbox_rows(cursor: Cursor) -> int:
    return Outbox(cursor).depth()[0]
