"""What the commands of both services share."""

import argparse
import inspect
import os
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import pymysql

from common import environment
from common.listening import own_url
from common.log import configure
from common.mysql import Cursor, Database, DatabaseUnavailable
from common.service_client import ServiceClient, UpstreamError

EXIT_CODES = "exit codes: 0 done, 1 failed, 2 wrong arguments"

Command = Callable[[argparse.Namespace], object]


def new_parser(service: str) -> tuple[argparse.ArgumentParser, Any]:
    """The parser of `entrypoint.sh SERVICE`, and the argument for add_command."""
    parser = argparse.ArgumentParser(
        prog=f"entrypoint.sh {service}",
        description="Without a COMMAND: wait for MySQL, migrate, seed if SEED_DEMO_DATA=on, then serve until SIGTERM.",
        epilog=f"{EXIT_CODES}; COMMAND --help documents others.",
    )
    return parser, parser.add_subparsers(dest="command", required=True, metavar="COMMAND")


def add_command(commands: Any, run: Command, example: str, name: str | None = None) -> argparse.ArgumentParser:
    """Add the command `run(options)` and return its parser. Its name and its help are those of the function."""
    text = inspect.cleandoc(run.__doc__ or "")
    parser: argparse.ArgumentParser = commands.add_parser(
        name or run.__name__.replace("_", "-"),
        help=text.partition("\n")[0].rstrip("."),
        description=text,
        epilog=f"example:\n  {example}" + ("" if "exit codes:" in text else f"\n\n{EXIT_CODES}"),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


def run_command(service: str, parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> None:
    """Parse the arguments and run the command. What stops it ends the process with one line on stderr."""
    options = parser.parse_args(arguments)
    configure(service, to_stderr=True)
    try:
        options.run(options)
        sys.stdout.flush()
    except BrokenPipeError as error:  # the reader has ended, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes stdout again when it exits
        raise SystemExit(128 + signal.SIGPIPE) from error
    except DatabaseUnavailable as error:
        raise SystemExit(f"MySQL is unavailable: {error}") from error
    except pymysql.MySQLError as error:
        reason = f"MySQL refused a statement: {error}"
        raise SystemExit(f"{reason}. If a table is missing, run: entrypoint.sh {service} migrate") from error


def local_service(port: int, token: str = "") -> ServiceClient:
    """A client of the service on this machine, at HOST and PORT; `port` if PORT is not set."""
    return ServiceClient(own_url(environment.text("HOST", "127.0.0.1"), environment.integer("PORT", port)), token)


def print_status(port: int) -> None:
    """Print the /ready of the service on this machine. Raises SystemExit unless the service is ready."""
    try:
        code, facts = local_service(port).get("/ready")
    except UpstreamError as error:
        raise SystemExit(str(error)) from error
    for name, value in facts.items():
        for line in value if isinstance(value, list) else [value]:
            print(f"{name}: {_as_text(line)}")
    if code != 200:
        raise SystemExit(1)


def _as_text(value: object) -> str:
    return ", ".join(f"{key} {each}" for key, each in value.items()) if isinstance(value, dict) else str(value)


def open_database() -> Database:
    """The database at DATABASE_URL."""
    return Database(environment.text("DATABASE_URL"), environment.ca_file("MYSQL_SSL_CA"))


def read_now(cursor: Cursor) -> datetime:
    """The time by the database's clock, naive UTC."""
    cursor.execute("SELECT UTC_TIMESTAMP(6)")
    ((now,),) = cursor.fetchall()
    assert isinstance(now, datetime)
    return now


def printable(text: str) -> str:
    """The text on one line, without control characters, which a terminal would execute."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text)
