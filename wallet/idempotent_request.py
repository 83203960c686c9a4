"""An idempotent POST: one use case in one transaction, and the same response for a repeated Idempotency-Key."""

import hashlib
import json
import logging
import re
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from bottle import HTTPResponse, request

from common.events.idempotency import Key, Response
from common.http_request import BadRequest
from common.json_text import json_line
from common.mysql import Database, repeat_on_conflict
from wallet.domain import ClocksDiffer
from wallet.unit_of_work import UnitOfWork, unit_of_work

log = logging.getLogger("wallet")

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class HasId(Protocol):
    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=HasId)


def create_resource(
    database: Database,
    use_case: Callable[[UnitOfWork], T],
    to_body: Callable[[T], dict[str, Any]],
    location: str,
) -> HTTPResponse:
    """Run the use case in one transaction, retry it on a conflict, and return the 201.

    A request with an Idempotency-Key takes effect at most once: a repetition gets the saved response. `location` is
    the path of the created resource without its id. Raises the errors of the use case, BadRequest for an invalid key,
    KeyReused and StillInProgress.
    """
    key = idempotency_key()

    def transaction() -> HTTPResponse:
        environ = request.environ
        with unit_of_work(database, environ["request_id"], environ.get("traceparent")) as work:
            if key and (saved := work.idempotency_keys.find(key)):
                environ["outcome"] = "replayed"
                headers = {**json.loads(saved.headers), "Idempotent-Replayed": "true"}
                return HTTPResponse(saved.body.encode("utf-8"), saved.status, headers)
            created = use_case(work)
            headers = {"Content-Type": "application/json", "Location": location + created.id}
            if work.sequence:
                headers["Sequence"] = str(work.sequence)
            body = json_line(to_body(created))
            if key:
                work.idempotency_keys.save(key, Response(201, json.dumps(headers), body.decode("utf-8")))
        if work.sequence:
            _clocks.agree()
        return HTTPResponse(body, 201, headers)

    try:
        return repeat_on_conflict(transaction)
    except ClocksDiffer as error:
        _clocks.report(error)
        raise


def idempotency_key() -> Key | None:
    """The Idempotency-Key of the current request with a hash of the body, or None. Raises BadRequest."""
    key = request.environ.get("HTTP_IDEMPOTENCY_KEY")  # Bottle's get_header fails on bytes that are not UTF-8
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise BadRequest("Idempotency-Key must have 1 to 255 visible ASCII characters")
    body = request.environ["wsgi.input"]
    body.seek(0)
    return Key(f"{request.method} {request.path}", key, hashlib.sha256(body.read()).digest())


class _Clocks:
    """Logs one line when the clocks begin to differ, and one when they agree again, instead of one for each request."""

    def __init__(self) -> None:
        self._differ = False

    def report(self, error: ClocksDiffer) -> None:
        if not self._differ:
            self._differ = True
            log.error("transfers are refused", extra={"reason": str(error)})

    def agree(self) -> None:
        if self._differ:
            self._differ = False
            log.info("transfers are accepted again")


_clocks = _Clocks()
