"""The commands of `entrypoint.sh balances`."""

import argparse
import sys
from functools import partial
from pathlib import Path

from balances.dead_letter_commands import add_dead_letters
from balances.reconcile import Balances, Wallet, compare
from common import environment, migrate
from common.events import offsets, sequences
from common.json_text import to_json
from common.log import configure
from common.mysql import DatabaseUnavailable
from common.ops import NoAnswer, Service, add_verb, local_service, open_database, print_status, printable

DB = Path(__file__).resolve().parent.parent / "db" / "balances"
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
    add_dead_letters(verbs)
    _add_reconcile(verbs)
    options = parser.parse_args(arguments)
    configure("balances", to_stderr=True)
    try:
        options.run(options)
    except DatabaseUnavailable as error:
        raise SystemExit(f"MySQL is not available: {error}") from error


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
        future = sequences.reset_future(open_database(), table, options.dry_run)
    except sequences.WrongClock as error:
        raise SystemExit(str(error)) from error
    print(sequences.describe(future, table, options.dry_run))


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
    database = open_database() if environment.text("DATABASE_URL", "") else None
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
    print(to_json(answer).decode("utf-8") if options.json else "\n".join(map(printable, sentences)))
    if answer["verdict"] == "consistent" and answer["announce_required"]:
        reason = (
            "more was lost meanwhile, announce and reconcile again" if database else "it takes DATABASE_URL to clear it"
        )
        print(f"announce_required in /ready stays: {reason}", file=sys.stderr)
    raise SystemExit(EXIT_CODES[answer["verdict"]])


def _now(cursor):
    cursor.execute("SELECT UTC_TIMESTAMP(6)")
    return cursor.fetchone()[0]


if __name__ == "__main__":
    main()
