"""The verbs of `entrypoint.sh balances`."""

import argparse
from pathlib import Path

from common import environment, migrate
from common.log import configure
from common.ops import print_status

DB = Path(__file__).resolve().parent.parent / "db" / "balances"


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="entrypoint.sh balances", description="Without a verb: migrate, seed, serve.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb in (migrate_up, rollback, seed, status):
        sub = verbs.add_parser(verb.__name__.removesuffix("_up"), help=verb.__doc__, description=verb.__doc__)
        sub.set_defaults(run=verb)
    options = parser.parse_args(arguments)
    configure("balances")
    options.run(options)


def migrate_up(_):
    """wait for MySQL, apply the missing migrations"""
    migrate.migrate(DB / "migrations")


def rollback(_):
    """take back the newest migration"""
    migrate.rollback(DB / "migrations")


def seed(_):
    """insert the balances of the fictitious accounts that are not there yet"""
    migrate.migrate(DB / "seeds", migrate.SEEDS_TABLE)


def status(_):
    """print what /ready says of the running service; exit code 1 when it is not ready"""
    print_status(port=environment.integer("PORT", 3003))


if __name__ == "__main__":
    main()
