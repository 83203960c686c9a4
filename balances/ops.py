"""The commands of `entrypoint.sh balances`."""

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from balances.dead_letter_commands import add_dead_letters
from balances.events_command import add_events
from balances.reconcile.command import PORT, add_reconcile
from common import migrate
from common.events import sequences
from common.ops import add_command, new_parser, open_database, print_status, run_command

DB = Path(__file__).resolve().parent.parent / "db" / "balances"


def main(arguments: Sequence[str] | None = None) -> None:
    parser, commands = new_parser("balances")
    add_command(commands, migrate_up, "entrypoint.sh balances migrate", name="migrate")
    add_command(commands, rollback, "entrypoint.sh balances rollback")
    add_command(commands, seed, "entrypoint.sh balances seed")
    add_command(commands, status, "PORT=3003 entrypoint.sh balances status")
    add_dead_letters(commands)
    add_events(commands)
    add_reconcile(commands)
    resetting = add_command(commands, reset_sequences, "entrypoint.sh balances reset-sequences --dry-run")
    resetting.add_argument("--dry-run", action="store_true", help="print what would change, and change nothing")
    run_command("balances", parser, arguments)


def migrate_up(_: Namespace) -> None:
    """Wait for MySQL without limit, then apply the missing migrations."""
    migrate.migrate(DB / "migrations")


def rollback(_: Namespace) -> None:
    """Revert the newest migration."""
    migrate.rollback(DB / "migrations")


def seed(_: Namespace) -> None:
    """Insert the balances of the fictitious accounts that do not exist yet."""
    migrate.seed(DB / "seeds")


def status(_: Namespace) -> None:
    """Print /ready of the service at HOST and PORT (default 127.0.0.1:3003).

    exit codes: 0 ready, 1 not ready or unavailable, 2 wrong arguments
    """
    print_status(PORT)


def reset_sequences(options: Namespace) -> None:
    """Reset the sequences of balances that are more than 300 s ahead of the database's clock.

    Use it after that clock was wrong. Correct the clocks first, and wait until /ready reports a lag of 0: a later event
    with a future sequence would restore that sequence. Then run `wallet reset-sequences`, this command, `wallet
    announce` and `balances reconcile`.
    """
    table = sequences.Table("balances", "account_id")
    try:
        future = sequences.reset_future(open_database(), table, options.dry_run)
    except sequences.WrongClock as error:
        raise SystemExit(str(error)) from error
    print(sequences.describe(future, table, options.dry_run))


if __name__ == "__main__":
    main()
