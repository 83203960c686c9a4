"""The commands of `entrypoint.sh wallet`."""

import argparse
import shlex
import signal
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from common import environment, migrate
from common.events import known_server, sequences
from common.log import configure
from common.mysql import Conflict, Cursor, Database, DatabaseUnavailable
from common.ops import add_verb, print_status
from wallet.announce import announce_accounts
from wallet.domain import AccountNotFound, ClocksDiffer, SequenceFromTheFuture

DB = Path(__file__).resolve().parent.parent / "db" / "wallet"
PROGRESS_SECONDS = 2


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="entrypoint.sh wallet", description="Without a command: migrate, seed, serve."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add_verb(commands, migrate_up, "entrypoint.sh wallet migrate", name="migrate")
    add_verb(commands, rollback, "entrypoint.sh wallet rollback")
    add_verb(commands, seed, "entrypoint.sh wallet seed")
    add_verb(commands, status, "PORT=8080 entrypoint.sh wallet status")
    announcing = add_verb(commands, announce, "entrypoint.sh wallet announce")
    announcing.add_argument("ids", nargs="*", metavar="ID", help="of an account; without any: all accounts")
    announcing.add_argument("--after", default="", metavar="ID", help="begin after this one, to go on after a stop")
    resetting = add_verb(commands, reset_sequences, "entrypoint.sh wallet reset-sequences --dry-run")
    resetting.add_argument("--dry-run", action="store_true", help="print what would change, and change nothing")
    options = parser.parse_args(arguments)
    if options.command == "announce" and options.ids and options.after:
        announcing.error("--after goes with all accounts, not with IDs")
    configure("wallet", to_stderr=True)
    try:
        options.run(options)
    except DatabaseUnavailable as error:
        raise SystemExit(f"MySQL is not available: {error}") from error


def migrate_up(_: argparse.Namespace) -> None:
    """wait for MySQL, apply the missing migrations"""
    migrate.migrate(DB / "migrations")


def rollback(_: argparse.Namespace) -> None:
    """take back the newest migration"""
    migrate.rollback(DB / "migrations")


def seed(_: argparse.Namespace) -> None:
    """insert the fictitious clients, accounts and transactions that are not there yet"""
    migrate.seed(DB / "seeds")


def status(_: argparse.Namespace) -> None:
    """print what /ready says of the running service; exit code 1 when it is not ready"""
    print_status(8080)


def announce(options: argparse.Namespace) -> None:
    """publish the present balance of every account, so that Balances takes it over

    A read model that lost events, or everything, is consistent again once it has applied these events. The relay of the
    wallet sends them, so the wallet must run; transfers go on meanwhile. The command may be stopped and repeated at any
    point. A run over all accounts, from the first to the last, also clears announce_required in /ready of the wallet.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # `docker stop` ends it as Ctrl-C does
    database = _database()
    announced, after, started = 0, options.after, time.monotonic()
    print_at = started + PROGRESS_SECONDS

    def progress() -> str:
        rate = announced / max(time.monotonic() - started, 0.001)
        return f"{announced} accounts announced, {rate:.0f} a second"

    try:
        since = database.read(_now)
        for batch in announce_accounts(database, options.ids, after, _print):
            announced, after = announced + len(batch), batch[-1]
            if time.monotonic() >= print_at:
                print_at = time.monotonic() + PROGRESS_SECONDS
                _print(f"{progress()}, up to {after}")
        if not (options.ids or options.after):
            with database.transaction() as cursor:
                known_server.mark_announced(cursor, since)
    except AccountNotFound as error:
        raise SystemExit(f"{error}; nothing was announced") from error
    except (KeyboardInterrupt, Conflict, DatabaseUnavailable, ClocksDiffer, SequenceFromTheFuture) as error:
        rest = options.ids or (["--after", after] if after else [])
        _print(f"{progress()}; stopped{f': {error}' if str(error) else ''}")
        _print(f"go on with: {shlex.join(['entrypoint.sh', 'wallet', 'announce', *rest])}")
        raise SystemExit(130 if isinstance(error, KeyboardInterrupt) else 1) from error
    _print(progress())


def reset_sequences(options: argparse.Namespace) -> None:
    """bring the sequences of accounts that are ahead of the clock back to it, after a database's clock was wrong

    Correct the clocks first. The wallet may go on running; wait until its outbox is empty and Balances reports a lag of
    0. Then run this command, `balances reset-sequences`, `wallet announce`, and `balances reconcile`.
    """
    table = sequences.Table("accounts", "id")
    try:
        future = sequences.reset_future(_database(), table, options.dry_run)
    except sequences.WrongClock as error:
        raise SystemExit(str(error)) from error
    _print(sequences.describe(future, table, options.dry_run))


def _database() -> Database:
    return Database(environment.text("DATABASE_URL"), environment.ca_file("MYSQL_SSL_CA"))


def _now(cursor: Cursor) -> datetime:
    cursor.execute("SELECT UTC_TIMESTAMP(6)")
    ((now,),) = cursor.fetchall()
    assert isinstance(now, datetime)
    return now


def _print(sentence: str) -> None:
    print(sentence, flush=True)


if __name__ == "__main__":
    main()
