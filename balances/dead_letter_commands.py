"""The commands of `entrypoint.sh balances dead-letters`."""

import sys
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import pymysql

from balances import projection
from balances.messages import Balance, parse
from common.events import dead_letters
from common.events.dead_letters import (
    AlreadyReprocessed,
    DeadLetter,
    DeadLetterNotFound,
    Incomplete,
    NoSequence,
    UnreadableRecord,
)
from common.json_text import number, rfc3339
from common.mysql import Cursor, Database, read_clock, repeat_on_conflict
from common.ops import add_command, open_database, printable

ROWS_AT_ONCE = 20  # a dead letter may have a megabyte
LARGEST_ID = 2**64 - 1  # BIGINT UNSIGNED


class Change(NamedTuple):
    """What reprocessing did to an account."""

    account_id: str
    before: projection.Row | None
    after: projection.Row | None


def add_dead_letters(commands: Any) -> None:
    """Add the command `dead-letters` and its own commands."""
    parser = commands.add_parser("dead-letters", help="List, reprocess and discard records that could not be applied")
    commands = parser.add_subparsers(dest="dead_letters_command", required=True, metavar="COMMAND")
    add_command(commands, list_dead_letters, "entrypoint.sh balances dead-letters list", name="list")
    showing = add_command(commands, show_dead_letter, "entrypoint.sh balances dead-letters show 17", name="show")
    showing.add_argument("id", type=_id, metavar="ID", help="first column of `dead-letters list`")
    retrying = add_command(commands, retry, "entrypoint.sh balances dead-letters retry --all --dry-run")
    which = retrying.add_mutually_exclusive_group(required=True)
    which.add_argument("ids", type=_id, nargs="*", default=[], metavar="ID", help="parked or discarded records")
    which.add_argument("--all", action="store_true", help="all parked records")
    retrying.add_argument("--dry-run", action="store_true", help="print what would change, and change nothing")
    retrying.add_argument(
        "--force", action="store_true", help="apply records without a sequence too, over the stored balances"
    )
    discarding = add_command(commands, discard, "entrypoint.sh balances dead-letters discard 17 18")
    discarding.add_argument("ids", type=_id, nargs="+", metavar="ID", help="first column of `dead-letters list`")


def _id(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= LARGEST_ID):
        raise ArgumentTypeError(f"must be the number of a dead letter, not {text!r}")
    return int(text)


def list_dead_letters(_: Namespace) -> None:
    """Print the parked records, the oldest first."""
    dead_letter = None
    for dead_letter in _parked(open_database()):
        marks = "" if dead_letter.has_sequence else " [no sequence]"
        marks += "" if dead_letter.is_complete else " [incomplete]"
        parked_at = rfc3339(dead_letter.parked_at)
        print(f"{dead_letter.id}  {dead_letter.place}  parked {parked_at}{marks}  {printable(dead_letter.error)}")
    if dead_letter is None:
        print("no records are parked", file=sys.stderr)  # a program may count the lines of stdout


def show_dead_letter(options: Namespace) -> None:
    """Print everything that is stored of one record."""
    try:
        dead_letter = open_database().read(dead_letters.find, options.id)
    except DeadLetterNotFound as error:
        raise SystemExit(str(error)) from error
    decided = f" at {rfc3339(dead_letter.settled_at)}" if dead_letter.settled_at else ""
    parked_at = rfc3339(dead_letter.parked_at)
    print(f"id:        {dead_letter.id}, {dead_letter.state}{decided}")
    print(f"record:    {dead_letter.place}, timestamp {dead_letter.timestamp}, parked at {parked_at}")
    print(f"error:     {printable(dead_letter.error)}")
    print(f"sequence:  {'yes' if dead_letter.has_sequence else 'none: only --force applies the record'}")
    if not dead_letter.is_complete:
        print(f"size:      {dead_letter.value_bytes} bytes of value; only the first are stored, all are in Kafka")
        print(f"sha256:    {dead_letter.value_sha256} of the complete value")
    headers = [(f"header {name}", value) for name, value in dead_letter.headers]
    for name, value in [("key", dead_letter.key), *headers, ("value", dead_letter.value)]:
        text = "null" if value is None else value.decode("utf-8", "backslashreplace")
        print(f"{printable(name + ':'):<10} {printable(text)}")


def retry(options: Namespace) -> None:
    """Reprocess parked records as the consumer would, and print what changed.

    Use it after the cause of the error is removed. Each record passes the same parser and the same sequence check, in
    a transaction of its own. A record without a sequence, as Wallet Core (Go) publishes them, may be older than the
    stored balance: only --force applies it.

    exit codes: 0 all applied, 1 at least one not applied, 2 wrong arguments
    """
    database, failed = open_database(), False
    clock = database.read(read_clock)  # before the transactions, which use the same connection
    ids = (dead_letter.id for dead_letter in _parked(database)) if options.all else iter(options.ids)
    dead_letter_id = None
    for dead_letter_id in ids:
        try:
            changes = repeat_on_conflict(
                partial(_reprocess, database, lambda: clock, dead_letter_id, options.force, options.dry_run)
            )
        except _REFUSALS as error:
            print(f"{dead_letter_id}: not applied: {printable(str(error))}")
            failed = True
        else:
            for change in changes:
                print(f"{dead_letter_id}: {_sentence(change, options.dry_run)}")
    if dead_letter_id is None:
        print("no records are parked", file=sys.stderr)
    if failed:
        raise SystemExit(1)


def discard(options: Namespace) -> None:
    """Discard parked records: `retry --all` skips them. They can be shown, and retried by ID, for 30 days.

    exit codes: 0 all discarded, 1 at least one not discarded, 2 wrong arguments
    """
    database, failed = open_database(), False
    for dead_letter_id in options.ids:
        try:
            repeat_on_conflict(partial(_discard, database, dead_letter_id))
            print(f"{dead_letter_id}: discarded")
        except (DeadLetterNotFound, AlreadyReprocessed) as error:
            print(f"{dead_letter_id}: not discarded: {error}")
            failed = True
    if failed:
        raise SystemExit(1)


_REFUSALS = (
    DeadLetterNotFound,
    AlreadyReprocessed,
    Incomplete,
    NoSequence,
    UnreadableRecord,
    pymysql.DataError,
    pymysql.IntegrityError,
)


def _reprocess(
    database: Database, clock: Callable[[], int], dead_letter_id: int, force: bool, dry_run: bool
) -> list[Change]:
    changes: list[Change] = []

    def apply(cursor: Cursor, balances: Sequence[Balance]) -> None:
        account_ids = sorted({balance.account_id for balance in balances})
        before = [projection.find(cursor, account_id, for_update=True) for account_id in account_ids]
        projection.apply(cursor, balances)
        after = [projection.find(cursor, account_id) for account_id in account_ids]
        changes.extend(map(Change, account_ids, before, after))

    with database.transaction() as cursor:
        dead_letters.reprocess(cursor, dead_letter_id, partial(parse, clock=clock), apply, force)
        if dry_run:
            cursor.execute("ROLLBACK")  # the changes are known at this point
    return changes


def _discard(database: Database, dead_letter_id: int) -> None:
    with database.transaction() as cursor:
        dead_letters.discard(cursor, dead_letter_id)


def _sentence(change: Change, dry_run: bool) -> str:
    account_id = printable(change.account_id)
    if change.before == change.after or change.after is None:
        return f"{account_id}: stale, nothing {'would change' if dry_run else 'changed'}"
    before = number(change.before.balance) if change.before else "unknown"
    return f"{account_id}: {before} -> {number(change.after.balance)}{' (not applied: dry run)' if dry_run else ''}"


def _parked(database: Database) -> Iterator[DeadLetter]:
    after = 0
    while found := database.read(dead_letters.list_after, after, ROWS_AT_ONCE):
        yield from found
        after = found[-1].id
