"""The balances over HTTP."""

import hashlib
import re
import threading
import time
from pathlib import Path

from bottle import HTTPResponse, request

from balances import projection, readiness
from common.documents import serve_documents
from common.json_api import BadRequest, json_app, json_line, number, page, query, rfc3339, serve_health
from common.runner import THREADS

PAGE = Path(__file__).with_name("page")
DESCRIPTION = Path(__file__).resolve().parent.parent / "http" / "balances.openapi.json"

MAX_SEQUENCE = 2**63 - 1
WAIT_SECONDS = 1.0  # the longest a reader waits for a sequence
WAITING_THREADS = THREADS // 4  # the others go on answering
FIRST_LOOK_SECONDS, LOOK_SECONDS = 0.005, 0.02


class BalanceNotFound(Exception):
    def __init__(self, account_id):
        super().__init__(f"no balance is known of account {account_id[:255]}")


class NotFreshYet(Exception):
    """A problem of its own type: unlike an outage, it is gone as soon as the event is applied."""

    type, title = "/problems/not-applied-yet", "Not Applied Yet"

    def __init__(self, sequence):
        super().__init__(f"sequence {sequence} is not applied to this account yet; retry")


STATUS_BY_ERROR = {BalanceNotFound: 404, NotFreshYet: 503}


def create_app(database, status, token=""):
    """The app; `status` is the consumer's."""
    app = json_app(STATUS_BY_ERROR, token)
    serve_documents(app, PAGE, DESCRIPTION)
    serve_health(app, lambda: readiness.check(database, status))
    waiting = threading.BoundedSemaphore(WAITING_THREADS)

    @app.get("/balances/<account_id:id>")
    def get_balance(account_id):
        row = database.read(projection.find, account_id)
        if request.query_string and (sequence := _min_sequence()) and not _knows(row, sequence):
            row = wait_for(sequence, account_id)
        if row is None:
            raise BalanceNotFound(account_id)
        body = json_line(_balance(row))
        etag = f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
        headers = {"Content-Type": "application/json", "Sequence": str(row.sequence), "ETag": etag}
        known = request.environ.get("HTTP_IF_NONE_MATCH")
        if known and (etag in known or known == "*"):
            return HTTPResponse(b"", 304, headers)
        return HTTPResponse(body, 200, headers)

    def wait_for(sequence, account_id):
        """The account's Row as soon as it knows the sequence; gives up after WAIT_SECONDS, or when too many wait."""
        if not waiting.acquire(blocking=False):
            raise NotFreshYet(sequence)
        try:
            deadline, pause = time.monotonic() + WAIT_SECONDS, FIRST_LOOK_SECONDS
            while time.monotonic() < deadline:
                time.sleep(pause)
                pause = min(2 * pause, LOOK_SECONDS)
                row = database.read(projection.find, account_id)
                if _knows(row, sequence):
                    return row
        finally:
            waiting.release()
        raise NotFreshYet(sequence)

    @app.get("/balances")
    def get_balances():
        after, limit = page()
        rows = database.read(projection.page, after, limit)
        following = rows[-1].account_id if len(rows) == limit else None
        return {"balances": [_balance(row) for row in rows], "next": following}

    return app


def _min_sequence():
    """The `min_sequence` that the query asks for, 0 for none: the Sequence of a POST that the reader knows of."""
    sequence = query("min_sequence", "0")
    if not re.fullmatch(r"[0-9]{1,19}", sequence) or int(sequence) > MAX_SEQUENCE:
        raise BadRequest(f"min_sequence must be an integer from 0 to {MAX_SEQUENCE}")
    return int(sequence)


def _knows(row, sequence):
    return row is not None and row.sequence >= sequence


def _balance(row):
    return {"account_id": row.account_id, "balance": number(row.balance), "updated_at": rfc3339(row.updated_at)}
