"""The verbs of `entrypoint.sh wallet`."""

import argparse
import time
from pathlib import Path

from common import environment, migrate
from common.log import configure
from common.mysql import Database
from common.ops import print_status
from wallet.repositories import Outbox

DB = Path(__file__).resolve().parent.parent / "db" / "wallet"


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="entrypoint.sh wallet", description="Without a verb: migrate, seed, serve.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb in (migrate_up, rollback, seed, status):
        sub = verbs.add_parser(verb.__name__.removesuffix("_up"), help=verb.__doc__, description=verb.__doc__)
        sub.set_defaults(run=verb)
    options = parser.parse_args(arguments)
    configure("wallet")
    options.run(options)


def migrate_up(_):
    """wait for MySQL, apply the missing migrations, raise the sequence to the clock"""
    migrate.migrate(DB / "migrations")
    # A wallet made anew or restored from a backup must not number its events below those already heard.
    with Database(migrate.owner_url(), environment.text("MYSQL_SSL_CA", "") or None).transaction() as cursor:
        Outbox(cursor).raise_sequence(to=int(time.time() * 1_000_000))


def rollback(_):
    """take back the newest migration"""
    migrate.rollback(DB / "migrations")


def seed(_):
    """insert the fictitious clients, accounts and transactions that are not there yet"""
    migrate.migrate(DB / "seeds", migrate.SEEDS_TABLE)


def status(_):
    """print what /ready says of the running service; exit code 1 when it is not ready"""
    print_status(port=environment.integer("PORT", 8080))


if __name__ == "__main__":
    main()
