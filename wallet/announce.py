"""Announces the present balances of accounts, so that a read model that missed events is consistent again."""

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

ACCOUNTS_AT_ONCE = 100  # locked until the commit: a transfer that meets them waits some milliseconds
OUTBOX_ROWS = 5000  # a transfer's own events wait behind so many announcements at most: three batches of the relay
POLL_INTERVAL_SECONDS = 0.05  # how often a deep outbox is read
PROGRESS_SECONDS = 5
REQUEST_ID = "announce"  # in the log of Balances it tells these events from those of transfers


def announce_accounts(
    database: Database, account_ids: Sequence[str], after: str, progress: Callable[[str], None]
) -> Iterator[list[str]]:
    """Announce these accounts, or with none given all whose ids come after `after`, in id order, while transfers run.

    Gives the ids batch by batch, each once its transaction has committed. Waits without limit while the outbox is deep,
    and calls `progress(sentence)` meanwhile. Raises AccountNotFound, before anything is announced, if one is unknown.
    """
    account_ids = sorted(set(account_ids))
    for account_id in account_ids:
        database.read(_find, account_id)
    for batch in _batches(account_ids) if account_ids else _pages(database, after):
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
            progress(f"the outbox holds {rows} rows or more: waiting for the relay of the wallet to send them")
        time.sleep(POLL_INTERVAL_SECONDS)


def _batches(account_ids: list[str]) -> Iterator[list[str]]:
    return (account_ids[start : start + ACCOUNTS_AT_ONCE] for start in range(0, len(account_ids), ACCOUNTS_AT_ONCE))


def _pages(database: Database, after: str) -> Iterator[list[str]]:
    while accounts := database.read(_page, after):
        yield [account.id for account in accounts]
        after = accounts[-1].id


def _page(cursor: Cursor, after: str) -> list[Account]:
    return AccountRepository(cursor).page(after, ACCOUNTS_AT_ONCE)


def _find(cursor: Cursor, account_id: str) -> Account:
    return AccountRepository(cursor).find(account_id)


def _outbox_rows(cursor: Cursor) -> int:
    return Outbox(cursor).depth()[0]
