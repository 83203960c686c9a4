"""Announces the present balances of accounts, so that a read model that missed something is whole again."""

import time
from functools import partial

from common.mysql import repeat_on_conflict
from wallet import use_cases
from wallet.repositories import AccountRepository, Outbox
from wallet.unit_of_work import unit_of_work

ACCOUNTS_AT_ONCE = 100  # locked until the commit: a transfer that meets them waits some milliseconds
OUTBOX_ROWS = 5000  # a transfer's own events wait behind so many announcements at most: three turns of the relay
LOOK_SECONDS = 0.05  # how often a deep outbox is looked at
SAY_SECONDS = 5
REQUEST_ID = "announce"  # in the log of Balances it tells these events from those of transfers


def announce_accounts(database, account_ids, after, say):
    """Announce these accounts, or with none given all whose ids come after `after`, in id order, while transfers run.

    Gives the ids batch by batch, each once its transaction has committed. Waits without limit while the outbox is deep,
    and calls `say(sentence)` meanwhile. Raises AccountNotFound, before anything is announced, if one is unknown.
    """
    account_ids = sorted(set(account_ids))
    for account_id in account_ids:
        database.read(_find, account_id)
    with database.transaction() as cursor:
        # A backup may have been restored since the wallet started, and with it a sequence that looks stale.
        Outbox(cursor).raise_sequence(to=int(time.time() * 1_000_000))
    for batch in _batches(account_ids) if account_ids else _pages(database, after):
        _wait_for_the_relay(database, say)
        repeat_on_conflict(partial(_announce, database, batch))
        yield batch


def _announce(database, account_ids):
    with unit_of_work(database, REQUEST_ID) as work:
        use_cases.announce_balances(work, account_ids)


def _wait_for_the_relay(database, say):
    say_at = time.monotonic() + SAY_SECONDS
    while (rows := database.read(lambda cursor: Outbox(cursor).depth()[0])) >= OUTBOX_ROWS:
        if time.monotonic() >= say_at:
            say_at = time.monotonic() + SAY_SECONDS
            say(f"the outbox holds {rows} rows or more: waiting for the wallet's relay to send them")
        time.sleep(LOOK_SECONDS)


def _batches(account_ids):
    return (account_ids[start : start + ACCOUNTS_AT_ONCE] for start in range(0, len(account_ids), ACCOUNTS_AT_ONCE))


def _pages(database, after):
    while accounts := database.read(_page, after):
        yield [account.id for account in accounts]
        after = accounts[-1].id


def _page(cursor, after):
    return AccountRepository(cursor).page(after, ACCOUNTS_AT_ONCE)


def _find(cursor, account_id):
    return AccountRepository(cursor).find(account_id)
