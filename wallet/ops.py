"""The commands of `entrypoint.sh wallet`."""

import shlex
import signal
import time
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from common import migrate
from common.events import known_server, sequences
from common.mysql import Conflict, DatabaseUnavailable
from common.ops import add_command, new_parser, open_database, print_status, read_now, run_command
from wallet.announce import announce_accounts
from wallet.domain import AccountNotFound, ClocksDiffer, SequenceFromTheFuture

DB = Path(__file__).resolve().parent.parent / "db" / "wallet"
PORT = 8080
PROGRESS_SECONDS = 2


def main(arguments: Sequence[str] | None = None) -> None:
    parser, commands = new_parser("wallet")
    add_command(commands, migrate_up, "entrypoint.sh wallet migrate", name="migrate")
    add_command(commands, rollback, "entrypoint.sh wallet rollback")
    add_command(commands, seed, "entrypoint.sh wallet seed")
    add_command(commands, status, "PORT=8080 entrypoint.sh wallet status")
    announcing = add_command(commands, announce, "entrypoint.sh wallet announce")
    which = announcing.add_mutually_exclusive_group()
    which.add_argument("ids", nargs="*", default=[], metavar="ID", help="accounts to announce (default: all)")
    which.add_argument("--after", default="", metavar="ID", help="announce the accounts with a higher id only")
    resetting = add_command(commands, reset_sequences, "entrypoint.sh wallet reset-sequences --dry-run")
    resetting.add_argument("--dry-run", action="store_true", help="print what would change, and change nothing")
    run_command("wallet", parser, arguments)


def migrate_up(_: Namespace) -> None:
    """Wait for MySQL without limit, then apply the missing migrations."""
    migrate.migrate(DB / "migrations")


def rollback(_: Namespace) -> None:
    """Revert the newest migration."""
    migrate.rollback(DB / "migrations")


def seed(_: Namespace) -> None:
    """Insert the fictitious clients, accounts and transactions that do not exist yet."""
    migrate.seed(DB / "seeds")


def status(_: Namespace) -> None:
    """Print /ready of the service at HOST and PORT (default 127.0.0.1:8080).

    exit codes: 0 ready, 1 not ready or unavailable, 2 wrong arguments
    """
    print_status(PORT)


def announce(options: Namespace) -> None:
    """Publish the current balance of every account.

    A read model that lost events, or all its data, is consistent after it has applied these events. The relay of the
    wallet publishes them, so the wallet must run; transfers continue. The command can be stopped and repeated at any
    point. A run over all accounts, from the first to the last, also clears announce_required in /ready of the wallet.

    exit codes: 0 done, 1 stopped by an error, 2 wrong arguments, 130 interrupted
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # `docker stop` ends it as Ctrl-C does
    database = open_database()
    announced, after, started = 0, options.after, time.monotonic()
    print_at = started + PROGRESS_SECONDS

    def progress() -> str:
        rate = announced / max(time.monotonic() - started, 0.001)
        return f"{announced} accounts announced, {rate:.0f} accounts/s"

    try:
        since = database.read(read_now)
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
        _print(f"continue with: {shlex.join(['entrypoint.sh', 'wallet', 'announce', *rest])}")
        raise SystemExit(130 if isinstance(error, KeyboardInterrupt) else 1) from error
    _print(progress())


def reset_sequences(options: Namespace) -> None:
    """Reset the sequences of accounts that are more than 300 s ahead of the database's clock.

    Use it after that clock was wrong. Correct the clocks first. The wallet may run; wait until its outbox is empty and
    Balances reports a lag of 0. Then run this command, `balances reset-sequences`, `wallet announce` and `balances
    reconcile`.
    """
    table = sequences.Table("accounts", "id")
    try:
        future = sequences.reset_future(open_database(), table, options.dry_run)
    except sequences.WrongClock as error:
        raise SystemExit(str(error)) from error
    _print(sequences.describe(future, table, options.dry_run))


def _print(sentence: str) -> None:
    print(sentence, flush=True)


if __name__ == "__main__":
    main()
