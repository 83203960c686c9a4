"""The command `entrypoint.sh balances reconcile`."""

import sys
from argparse import ArgumentTypeError, Namespace
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from balances.reconcile.compare import compare
from balances.reconcile.sources import Balances, Wallet
from common import environment
from common.events import offsets
from common.json_text import to_json
from common.mysql import Database, DatabaseUnavailable
from common.ops import add_command, local_service, open_database, printable, read_now
from common.service_client import ServiceClient, UpstreamError

PORT = 3003
EXIT_CODE_BY_VERDICT = {"consistent": 0, "inconsistent": 1, "in_progress": 2, "unknown": 2}


def add_reconcile(commands: Any) -> None:
    """Add the command `reconcile`."""
    parser = add_command(commands, reconcile, "entrypoint.sh balances reconcile --wallet-url http://127.0.0.1:8080")
    parser.add_argument("--wallet-url", required=True, type=_url, metavar="URL", help="address of Wallet")
    parser.add_argument(
        "--balances-url",
        type=_url,
        metavar="URL",
        help="address of Balances (default: HOST and PORT, 127.0.0.1:3003 if not set); any instance will do",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of sentences")


def reconcile(options: Namespace) -> None:
    """Compare every balance with Wallet over HTTP, while both services are in use.

    A difference is inconsistent if it is the same in two readings, at least 5 s apart, and everything in flight between
    them was applied. If records are not consumed, the verdict is in_progress or unknown.

    WALLET_TOKEN and BALANCES_TOKEN are sent if they are set. If DATABASE_URL is set and all balances are consistent,
    the command clears announce_required in /ready of Balances.

    exit codes: 0 consistent, 1 inconsistent, 2 in_progress, unknown or wrong arguments
    """
    wallet = Wallet(ServiceClient(options.wallet_url, environment.text("WALLET_TOKEN", "")))
    token = environment.text("BALANCES_TOKEN", "")
    url = options.balances_url
    balances = Balances(ServiceClient(url, token) if url else local_service(PORT, token))
    database = open_database() if environment.text("DATABASE_URL", "") else None
    facts: dict[str, Any]
    try:
        since = database.read(read_now) if database else None
        report = compare(wallet, balances, progress=partial(print, file=sys.stderr, flush=True))
        announce_required = balances.announce_required()
        if announce_required and database and since and report.verdict == "consistent":
            announce_required = _clear_announce_required(database, since)
    except (UpstreamError, DatabaseUnavailable) as error:
        facts, sentences = {"verdict": "unknown", "reason": str(error)}, [f"unknown: {error}"]
    else:
        facts, sentences = {**report.facts(), "announce_required": announce_required}, list(report.sentences())
    print(to_json(facts).decode("utf-8") if options.json else "\n".join(map(printable, sentences)))
    if facts["verdict"] == "consistent" and facts["announce_required"]:
        reason = "more records were lost meanwhile; announce and reconcile again" if database else "set DATABASE_URL"
        print(f"announce_required in /ready is not cleared: {reason}", file=sys.stderr)
    raise SystemExit(EXIT_CODE_BY_VERDICT[facts["verdict"]])


def _clear_announce_required(database: Database, since: datetime) -> bool:
    """Forget the losses before `since`; whether there were later ones."""
    with database.transaction() as cursor:
        offsets.mark_reconciled(cursor, since)
        return offsets.announce_required(cursor)


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ArgumentTypeError(f"must be a URL such as http://127.0.0.1:8080, not {text!r}")
    return text
