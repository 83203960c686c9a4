"""The verbs of `entrypoint.sh balances`."""

import argparse
import sys
from functools import partial
from pathlib import Path

import pymysql

from balances import projection
from balances.messages import parse
from balances.reconcile import Balances, Wallet, compare
from common import environment, migrate
from common.events import dead_letters, offsets, sequences
from common.events.dead_letters import AlreadyReprocessed, DeadLetterNotFound, NoSequence, UnreadableRecord
from common.json_api import number, rfc3339, to_json
from common.log import configure
from common.mysql import Database, DatabaseClock, DatabaseUnavailable, repeat_on_conflict
from common.ops import NoAnswer, Service, add_verb, local_service, print_status

DB = Path(__file__).resolve().parent.parent / "db" / "balances"
LETTERS_AT_ONCE = 20  # a letter may be a megabyte
EXIT_CODES = {"consistent": 0, "inconsistent": 1, "in_progress": 2, "unknown": 2}


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="entrypoint.sh balances", description="Without a verb: migrate, seed, serve.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    add_verb(verbs, migrate_up, "entrypoint.sh balances migrate", name="migrate")
    add_verb(verbs, rollback, "entrypoint.sh balances rollback")
    add_verb(verbs, seed, "entrypoint.sh balances seed")
    add_verb(verbs, status, "PORT=3003 entrypoint.sh balances status")
    resetting = add_verb(verbs, reset_sequences, "entrypoint.sh balances reset-sequences --dry-run")
    resetting.add_argument("--dry-run", action="store_true", help="print what would change, and change nothing")
    _add_dead_letters(verbs)
    _add_reconcile(verbs)
    options = parser.parse_args(arguments)
    configure("balances", to_stderr=True)
    try:
        options.run(options)
    except DatabaseUnavailable as error:
        raise SystemExit(f"MySQL is not available: {error}") from error


def _add_dead_letters(verbs):
    letters = verbs.add_parser(
        "dead-letters", help="look at the messages that could not be applied, and decide on them"
    )
    verbs = letters.add_subparsers(dest="letters_verb", required=True, metavar="VERB")
    add_verb(verbs, list_letters, "entrypoint.sh balances dead-letters list", name="list")
    showing = add_verb(verbs, show_letter, "entrypoint.sh balances dead-letters show 17", name="show")
    showing.add_argument("id", type=int, metavar="ID")
    retrying = add_verb(verbs, retry, "entrypoint.sh balances dead-letters retry --all --dry-run")
    which = retrying.add_mutually_exclusive_group(required=True)
    which.add_argument("ids", type=int, nargs="*", default=[], metavar="ID")
    which.add_argument("--all", action="store_true", help="every parked one")
    retrying.add_argument("--dry-run", action="store_true", help="print what would change, and change nothing")
    retrying.add_argument("--force", action="store_true", help="apply also what has no sequence, over what is known")
    discarding = add_verb(verbs, discard, "entrypoint.sh balances dead-letters discard 17 18")
    discarding.add_argument("ids", type=int, nargs="+", metavar="ID")


def _add_reconcile(verbs):
    parser = add_verb(verbs, reconcile, "entrypoint.sh balances reconcile --wallet-url http://127.0.0.1:8080")
    parser.add_argument("--wallet-url", required=True, metavar="URL")
    parser.add_argument(
        "--balances-url",
        action="append",
        metavar="URL",
        help="the service at $HOST:$PORT if not given; one instance suffices: each knows the lag of all partitions",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object in place of sentences")


def migrate_up(_):
    """wait for MySQL, apply the missing migrations"""
    migrate.migrate(DB / "migrations")


def rollback(_):
    """take back the newest migration"""
    migrate.rollback(DB / "migrations")


def seed(_):
    """insert the balances of the fictitious accounts that are not there yet"""
    migrate.seed(DB / "seeds")


def status(_):
    """print what /ready says of the running service; exit code 1 when it is not ready"""
    print_status(3003)


def reset_sequences(options: argparse.Namespace) -> None:
    """bring the sequences of balances that are ahead of the clock back to it, after a database's clock was wrong

    Correct the clocks first, and wait until /ready reports a lag of 0: an event from the future that is applied later
    brings its sequence back. Then run `wallet reset-sequences`, this command, `wallet announce`, and `balances
    reconcile`.
    """
    table = sequences.Table("balances", "account_id")
    try:
        future = sequences.reset_future(_database(), table, options.dry_run)
    except sequences.WrongClock as error:
        raise SystemExit(str(error)) from error
    print(sequences.describe(future, table, options.dry_run))


def list_letters(_):
    """print the parked messages, the oldest first"""
    letter = None
    for letter in _parked(_database()):
        order = "" if letter.has_sequence() else " [no sequence]"
        print(f"{letter.id}  {_place(letter)}  parked {rfc3339(letter.parked_at)}{order}  {_printable(letter.error)}")
    if letter is None:
        print("no messages are parked", file=sys.stderr)  # not on stdout, where a program counts lines


def show_letter(options):
    """print all of one message"""
    try:
        letter = _database().read(dead_letters.find, options.id)
    except DeadLetterNotFound as error:
        raise SystemExit(str(error)) from error
    settled = f" at {rfc3339(letter.settled_at)}" if letter.settled_at else ""
    print(f"id:        {letter.id}, {letter.state}{settled}")
    print(f"record:    {_place(letter)}, timestamp {letter.timestamp}, parked at {rfc3339(letter.parked_at)}")
    print(f"error:     {_printable(letter.error)}")
    print(f"sequence:  {'yes' if letter.has_sequence() else 'none: only --force applies it'}")
    if letter.value_bytes is not None:
        print(f"cut:       {letter.value_bytes} bytes, SHA-256 {letter.value_sha256}; its beginning is below")
    headers = [(f"header {name}", value) for name, value in letter.headers]
    for name, value in [("key", letter.key), *headers, ("value", letter.value)]:
        text = "null" if value is None else value.decode("utf-8", "backslashreplace")
        print(f"{_printable(name + ':'):<10} {_printable(text)}")


def retry(options):
    """apply parked messages as the consumer would have, and print what changed; exit code 1 if one could not be

    For after the mending of what was in their way. Each goes through the same parser and the same guard, in a
    transaction of its own. One without a sequence, as the original Wallet Core sends them, may be older than what is
    known of its accounts: it is only applied with --force.
    """
    database, failed = _database(), False
    ids = (letter.id for letter in _parked(database)) if options.all else options.ids
    for letter_id in ids:
        try:
            changes = repeat_on_conflict(partial(_reprocess, database, letter_id, options.force, options.dry_run))
        except _REFUSALS as error:
            print(f"{letter_id}: not applied: {_printable(str(error))}")
            failed = True
        else:
            for change in changes:
                print(f"{letter_id}: {_told(*change, options.dry_run)}")
    if failed:
        raise SystemExit(1)


def discard(options):
    """decide that messages are not to be applied; for 30 days they can still be looked at, and retried by their ID"""
    database, failed = _database(), False
    for letter_id in options.ids:
        try:
            repeat_on_conflict(partial(_discard, database, letter_id))
            print(f"{letter_id}: discarded")
        except (DeadLetterNotFound, AlreadyReprocessed) as error:
            print(f"{letter_id}: not discarded: {error}")
            failed = True
    if failed:
        raise SystemExit(1)


def reconcile(options):
    """compare every balance with the wallet's while both work; exit code 0 consistent, 1 inconsistent, 2 unknown

    A difference is inconsistent when it does not move: the same on both sides in two readings, 5 s apart, between which
    all that was in flight has been applied. While events are not consumed the result is in_progress or unknown.
    WALLET_TOKEN and BALANCES_TOKEN are sent where set. When everything is consistent, announce_required in /ready of
    Balances is cleared; that takes DATABASE_URL.
    """
    wallet = Wallet(Service(options.wallet_url, environment.text("WALLET_TOKEN", "")))
    token = environment.text("BALANCES_TOKEN", "")
    balances = Balances([Service(url, token) for url in options.balances_url or []] or [local_service(3003, token)])
    database = _database() if environment.text("DATABASE_URL", "") else None
    try:
        since = database.read(_now) if database else None
        report = compare(wallet, balances, say=partial(print, file=sys.stderr, flush=True))
        announce_required = balances.announce_required()
        if announce_required and database and report.verdict == "consistent":
            with database.transaction() as cursor:
                offsets.mark_reconciled(cursor, since)
                announce_required = offsets.announce_required(cursor)
    except (NoAnswer, DatabaseUnavailable) as error:
        answer, sentences = {"verdict": "unknown", "reason": str(error)}, [f"unknown: {error}"]
    else:
        answer, sentences = {**report.facts(), "announce_required": announce_required}, report.sentences()
    print(to_json(answer).decode("utf-8") if options.json else "\n".join(map(_printable, sentences)))
    if answer["verdict"] == "consistent" and answer["announce_required"]:
        reason = (
            "more was lost meanwhile, announce and reconcile again" if database else "it takes DATABASE_URL to clear it"
        )
        print(f"announce_required in /ready stays: {reason}", file=sys.stderr)
    raise SystemExit(EXIT_CODES[answer["verdict"]])


Change = tuple[str, projection.Row | None, projection.Row | None]  # account id, before, after

_REFUSALS = (
    DeadLetterNotFound,
    AlreadyReprocessed,
    NoSequence,
    UnreadableRecord,
    pymysql.DataError,
    pymysql.IntegrityError,
)


def _reprocess(database: Database, dead_letter_id: int, force: bool, dry_run: bool) -> list[Change]:
    parser = partial(parse, clock=DatabaseClock(database))
    clock = parser.keywords["clock"]
    clock()  # read before the transaction, whose connection it shares
    with database.transaction() as cursor:
        dead_letter = dead_letters.find(cursor, dead_letter_id, for_update=True)
        try:
            account_ids = sorted({balance.account_id for balance in parser(dead_letter)})
        except UnreadableRecord:
            account_ids = []  # said below, after what comes first
        before = [projection.find(cursor, account_id, for_update=True) for account_id in account_ids]
        dead_letters.reprocess(cursor, dead_letter_id, parser, projection.apply, force)
        after = [projection.find(cursor, account_id) for account_id in account_ids]
        if dry_run:
            cursor.execute("ROLLBACK")  # what would change is known by now
    return list(zip(account_ids, before, after, strict=True))


def _discard(database: Database, dead_letter_id: int) -> None:
    with database.transaction() as cursor:
        dead_letters.discard(cursor, dead_letter_id)


def _told(account_id, before, after, dry_run):
    if before == after:
        return f"{account_id}: stale, nothing {'would change' if dry_run else 'changed'}"
    held = number(before.balance) if before else "unknown"
    return f"{account_id}: {held} -> {number(after.balance)}{' (not applied: dry run)' if dry_run else ''}"


def _parked(database):
    after = 0
    while letters := database.read(dead_letters.page, after, LETTERS_AT_ONCE):
        yield from letters
        after = letters[-1].id


def _place(letter):
    return f"{letter.topic}[{letter.partition}]@{letter.offset}"


def _printable(text):
    """On one line, and nothing in it that a terminal would obey."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text)


def _database():
    return Database(environment.text("DATABASE_URL"), environment.ca_file("MYSQL_SSL_CA"))


def _now(cursor):
    cursor.execute("SELECT UTC_TIMESTAMP(6)")
    return cursor.fetchone()[0]


if __name__ == "__main__":
    main()
