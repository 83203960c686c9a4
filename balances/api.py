"""The HTTP API of Balances."""

import hashlib
import re
import threading
import time
from pathlib import Path
from typing import Any

from bottle import HTTPResponse, request

from balances import projection, readiness
from balances.dead_letter_routes import serve_dead_letters
from balances.projection import Row
from common.documents import serve_documents
from common.event_routes import Links, serve_events
from common.events.dead_letters import DeadLetterNotFound
from common.events.recent import RecentEvents
from common.http_request import BadRequest, after_and_limit, query
from common.http_server import THREADS
from common.json_api import JsonApp, serve_health
from common.json_text import json_line, number, rfc3339
from common.mysql import Database
from common.worker_status import WorkerStatus

PAGE = Path(__file__).with_name("page")
DESCRIPTION = Path(__file__).resolve().parent.parent / "http" / "balances.openapi.json"

MAX_SEQUENCE = 2**63 - 1
WAIT_SECONDS = 1.0  # the longest that a request waits for a sequence
WAITING_THREADS = THREADS // 2  # the other threads remain for other requests
FIRST_POLL_SECONDS, POLL_INTERVAL_SECONDS = 0.005, 0.02


class BalanceNotFound(Exception):
    def __init__(self, account_id: str) -> None:
        super().__init__(f"account {account_id[:255]} has no balance")


class NotAppliedYet(Exception):
    """A problem of its own type: unlike an outage, it ends as soon as the event is applied."""

    type, title = "/problems/not-applied-yet", "Not Applied Yet"

    def __init__(self, sequence: int) -> None:
        super().__init__(f"sequence {sequence} is not applied to this account yet; retry")


STATUS_BY_ERROR: dict[type[Exception], int] = {BalanceNotFound: 404, DeadLetterNotFound: 404, NotAppliedYet: 503}


def create_app(
    database: Database,
    status: WorkerStatus,
    token: str = "",
    recent: RecentEvents | None = None,
    links: Links = Links(),  # noqa: B008  # immutable
) -> JsonApp:
    """The app; `status` and `recent` are the consumer's. The page of Wallet may read the balances and the events."""
    app = JsonApp(STATUS_BY_ERROR, token, other_origin=links.wallet)
    serve_documents(app, PAGE, DESCRIPTION)
    serve_health(app, lambda: readiness.check(database, status))
    serve_events(app, recent or RecentEvents(), links)
    serve_dead_letters(app, database)
    fresh = FreshBalances(database)

    @app.get("/balances/<account_id:id>", cross_origin=True)
    def get_balance(account_id: str) -> HTTPResponse:
        return _with_etag(fresh.find(account_id, _min_sequence() if request.query_string else 0))

    @app.get("/balances", cross_origin=True)
    def get_balances() -> dict[str, Any]:
        after, limit = after_and_limit()
        rows = database.read(projection.list_after, after, limit)
        next_id = rows[-1].account_id if len(rows) == limit else None
        return {"balances": [_body(row) for row in rows], "next": next_id}

    return app


class FreshBalances:
    """Balances of at least a required sequence. WAITING_THREADS requests can wait for one at the same time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting = threading.BoundedSemaphore(WAITING_THREADS)

    def find(self, account_id: str, min_sequence: int = 0) -> Row:
        """The Row of the account, as soon as its sequence is `min_sequence` or higher.

        Raises BalanceNotFound, and NotAppliedYet after WAIT_SECONDS, or at once if too many requests wait.
        """
        row = self._database.read(projection.find, account_id)
        if min_sequence and not _is_fresh(row, min_sequence):
            row = self._wait(account_id, min_sequence)
        if row is None:
            raise BalanceNotFound(account_id)
        return row

    def _wait(self, account_id: str, min_sequence: int) -> Row | None:
        if not self._waiting.acquire(blocking=False):
            raise NotAppliedYet(min_sequence)
        try:
            deadline, pause = time.monotonic() + WAIT_SECONDS, FIRST_POLL_SECONDS
            while time.monotonic() < deadline:
                time.sleep(pause)
                pause = min(2 * pause, POLL_INTERVAL_SECONDS)
                row = self._database.read(projection.find, account_id)
                if _is_fresh(row, min_sequence):
                    return row
        finally:
            self._waiting.release()
        raise NotAppliedYet(min_sequence)


def _is_fresh(row: Row | None, min_sequence: int) -> bool:
    return row is not None and row.sequence >= min_sequence


def _min_sequence() -> int:
    """The query's `min_sequence`, the Sequence of an earlier response to a POST; 0 for none. Raises BadRequest."""
    sequence = query("min_sequence", "0")
    if not re.fullmatch(r"[0-9]{1,19}", sequence) or int(sequence) > MAX_SEQUENCE:
        raise BadRequest(f"min_sequence must be an integer from 0 to {MAX_SEQUENCE}")
    return int(sequence)


def _with_etag(row: Row) -> HTTPResponse:
    """The balance, or 304 for a client that has this version."""
    body = json_line(_body(row))
    etag = f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
    headers = {"Content-Type": "application/json", "Sequence": str(row.sequence), "ETag": etag}
    known = request.environ.get("HTTP_IF_NONE_MATCH")
    if known and (etag in known or known == "*"):
        return HTTPResponse(b"", 304, headers)
    return HTTPResponse(body, 200, headers)


def _body(row: Row) -> dict[str, Any]:
    return {"account_id": row.account_id, "balance": number(row.balance), "updated_at": rfc3339(row.updated_at)}
