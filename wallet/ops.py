"""The verbs of `entrypoint.sh wallet`."""

import argparse
import shlex
import signal
import time
from pathlib import Path

from common import environment, migrate
from common.events import known_server
from common.log import configure
from common.mysql import Database, DatabaseUnavailable
from common.ops import add_verb, print_status
from wallet.announce import announce_accounts
from wallet.domain import CLOCK_DIFFERENCE_SECONDS, AccountNotFound
from wallet.repositories import AccountRepository

DB = Path(__file__).resolve().parent.parent / "db" / "wallet"
SAY_SECONDS = 2


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="entrypoint.sh wallet", description="Without a verb: migrate, seed, serve.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    add_verb(verbs, migrate_up, "entrypoint.sh wallet migrate", name="migrate")
    add_verb(verbs, rollback, "entrypoint.sh wallet rollback")
    add_verb(verbs, seed, "entrypoint.sh wallet seed")
    add_verb(verbs, status, "PORT=8080 entrypoint.sh wallet status")
    announcing = add_verb(verbs, announce, "entrypoint.sh wallet announce")
    announcing.add_argument("ids", nargs="*", metavar="ID", help="of an account; without any: all accounts")
    announcing.add_argument("--after", default="", metavar="ID", help="begin after this one, to go on after a stop")
    add_verb(verbs, reset_sequences, "entrypoint.sh wallet reset-sequences")
    options = parser.parse_args(arguments)
    if options.verb == "announce" and options.ids and options.after:
        announcing.error("--after goes with all accounts, not with IDs")
    configure("wallet", to_stderr=True)
    options.run(options)


def migrate_up(_):
    """wait for MySQL, apply the missing migrations"""
    migrate.migrate(DB / "migrations")


def rollback(_):
    """take back the newest migration"""
    migrate.rollback(DB / "migrations")


def seed(_):
    """insert the fictitious clients, accounts and transactions that are not there yet"""
    migrate.migrate(DB / "seeds", migrate.SEEDS_TABLE)


def status(_):
    """print what /ready says of the running service; exit code 1 when it is not ready"""
    print_status(8080)


def announce(options):
    """publish the present balance of every account, so that Balances takes it over

    A read model that lost events, or everything, is consistent again once it has applied these events. The relay of the
    wallet sends them, so the wallet must run; transfers go on meanwhile. The command may be stopped and repeated at any
    point. A run over all accounts, from the first to the last, also clears announce_required in /ready of the wallet.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # `docker stop` ends it as Ctrl-C does
    database = _database()
    announced, after, started = 0, options.after, time.monotonic()
    say_at = started + SAY_SECONDS

    def progress():
        rate = announced / max(time.monotonic() - started, 0.001)
        return f"{announced} accounts announced, {rate:.0f} a second"

    try:
        since = database.read(_now)
        for batch in announce_accounts(database, options.ids, after, say):
            announced, after = announced + len(batch), batch[-1]
            if time.monotonic() >= say_at:
                say_at = time.monotonic() + SAY_SECONDS
                say(f"{progress()}, up to {after}")
        if not (options.ids or options.after):
            with database.transaction() as cursor:
                known_server.mark_announced(cursor, since)
    except AccountNotFound as error:
        raise SystemExit(f"{error}; nothing was announced") from error
    except (KeyboardInterrupt, DatabaseUnavailable) as error:
        rest = options.ids or (["--after", after] if after else [])
        say(f"{progress()}; stopped{f': {error}' if str(error) else ''}")
        say(f"go on with: {shlex.join(['entrypoint.sh', 'wallet', 'announce', *rest])}")
        raise SystemExit(130 if isinstance(error, KeyboardInterrupt) else 1) from error
    say(progress())


def reset_sequences(_):
    """bring the sequences of accounts that are ahead of the clock back to it, after a database's clock was wrong

    Correct the clock first, and stop nothing: the rows are corrected in one statement. Then do the same for Balances,
    announce, and reconcile: `wallet reset-sequences`, `balances reset-sequences`, `wallet announce`, `balances
    reconcile`.
    """
    with _database().transaction() as cursor:
        reset = AccountRepository(cursor).reset_future_sequences(CLOCK_DIFFERENCE_SECONDS)
    say(f"{reset} accounts had a sequence ahead of the clock")


def _database():
    return Database(environment.text("DATABASE_URL"), environment.ca_file("MYSQL_SSL_CA"))


def _now(cursor):
    cursor.execute("SELECT UTC_TIMESTAMP(6)")
    return cursor.fetchone()[0]


def say(sentence):
    print(sentence, flush=True)


if __name__ == "__main__":
    main()
