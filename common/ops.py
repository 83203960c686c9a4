"""What the commands of both services share."""

import argparse
import http.client
import inspect
import json
import os
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from common import environment
from common.listening import own_url
from common.mysql import Database

REQUEST_SECONDS = 10


class NoAnswer(Exception):
    """A service is unavailable, or its response is not one of ours."""


class Service:
    """A running service as its clients see it."""

    def __init__(self, url: str, token: str = "") -> None:
        self.url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def ask(self, path: str, **query: object) -> tuple[int, dict[str, Any]]:
        """(status, body) of a GET, numbers as Decimals. Raises NoAnswer unless it is a JSON object, in time."""
        address = f"{self.url}{path}" + (f"?{urlencode(query)}" if query else "")
        try:
            status, body = self._get(urllib.request.Request(address, headers=self._headers))
            answer = json.loads(body, parse_int=Decimal, parse_float=Decimal)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise NoAnswer(f"{address} does not answer: {getattr(error, 'reason', error)}") from error
        if not isinstance(answer, dict):
            raise NoAnswer(f"{address} does not answer with a JSON object")
        return status, answer

    def _get(self, request: urllib.request.Request) -> tuple[int, bytes]:
        try:
            with _open(request, timeout=REQUEST_SECONDS) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as response:
            with response:
                return response.code, response.read()


# Straight to the service: a proxy named in the environment is for the world outside.
_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


def add_verb(
    commands: Any, run: Callable[[argparse.Namespace], object], example: str, name: str | None = None
) -> argparse.ArgumentParser:
    """Add the command `run(options)`, named and explained as the function is; give its parser, for arguments."""
    text = inspect.cleandoc(run.__doc__ or "")
    parser: argparse.ArgumentParser = commands.add_parser(
        name or run.__name__.replace("_", "-"),
        help=text.partition("\n")[0],
        description=text,
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=_until_output_is_closed(run))
    return parser


def _until_output_is_closed(run: Callable[[argparse.Namespace], object]) -> Callable[[argparse.Namespace], None]:
    """A command whose reader goes, as `| head` does, ends without a stack trace, as other programs do."""

    def command(options: argparse.Namespace) -> None:
        try:
            run(options)
            sys.stdout.flush()
        except BrokenPipeError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # where Python's flush at the end goes
            raise SystemExit(128 + signal.SIGPIPE) from error

    return command


def local_service(port: int, token: str = "") -> Service:
    """The service on this machine, as HOST and PORT name it; `port` where PORT is not set."""
    return Service(own_url(environment.text("HOST", "127.0.0.1"), environment.integer("PORT", port)), token)


def print_status(port: int) -> None:
    """Print the /ready of the service on this machine; raises SystemExit(1) when it is not ready or not there."""
    try:
        code, facts = local_service(port).ask("/ready")
    except NoAnswer as error:
        raise SystemExit(str(error)) from error
    for name, value in facts.items():
        if isinstance(value, list):
            for entry in value:
                print(f"  {name}: " + ", ".join(f"{key} {each}" for key, each in entry.items()))
        else:
            print(f"{name}: {value}")
    if code != 200:
        raise SystemExit(1)


def open_database() -> Database:
    """The database that DATABASE_URL names."""
    return Database(environment.text("DATABASE_URL"), environment.ca_file("MYSQL_SSL_CA"))


def printable(text: str) -> str:
    """The text on one line, without anything that a terminal would obey."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text)
