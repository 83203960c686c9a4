"""A Bottle app that speaks only JSON: bodies in, bodies out, and problem documents (RFC 9457) for every error."""

import io
import json
import logging
import re
import time
from decimal import Decimal, InvalidOperation
from http import HTTPStatus
from urllib.parse import unquote_to_bytes
from uuid import uuid4

import msgspec
from bottle import Bottle, HTTPResponse, request, response

from common.access import CrossSite, Guard, Unauthorized, refuse_other_sites
from common.mysql import Conflict, DatabaseUnavailable, OutcomeUnknown
from common.trace import traceparent
from common.version import VERSION

BODY_BYTES = 64 * 1024
PAGE_SIZE, PAGE_SIZE_LIMIT = 100, 1000
CURSOR_CHARACTERS = 255
RETRY_AFTER_SECONDS = 1
DETAIL_CHARACTERS = 300  # Bottle repeats the whole path that it did not find

log = logging.getLogger("http")

to_json = msgspec.json.Encoder(decimal_format="number").encode
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


class BadRequest(Exception):
    """The request is not of the shape asked for: 400."""


class BodyTooLarge(Exception):
    def __init__(self):
        super().__init__(f"the body is larger than {BODY_BYTES} bytes")


_STATUS_BY_ERROR = {
    BadRequest: 400,
    Unauthorized: 401,
    CrossSite: 403,
    BodyTooLarge: 413,
    Conflict: 503,
    DatabaseUnavailable: 503,
}
_HEADERS_BY_STATUS = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": str(RETRY_AFTER_SECONDS)}}


def json_app(status_by_error, token=""):
    """A Bottle app whose routes give dicts and may raise the given domain errors: each becomes its status.

    With a token, only who bears it gets in, but for the routes marked `open_to_all=True`.
    """
    app = Bottle()
    app.router.add_filter("id", lambda _: (r"(?s:.+)", None, None))  # any character, a slash too: <name:id>
    app.uninstall("json")  # Bottle's own knows no Decimal
    app.default_error_handler = lambda error: _problem_of(error.status_code, str(error.body))
    app.install(_as_json({**_STATUS_BY_ERROR, **status_by_error}))
    if token:
        app.install(Guard(token))
    return app


def serve_health(app, look):
    """Answer /health while the process serves, and /ready with what `look()` gives: an HTTP status and facts."""

    @app.get("/health", open_to_all=True)
    def health():
        return {"status": "ok", "version": VERSION}

    @app.get("/ready", open_to_all=True)
    def ready():
        status, facts = look()
        return HTTPResponse(json_line(facts), status, {"Content-Type": "application/json"})


def json_object():
    """The request's body, which must be a JSON object, whatever its Content-Type says; numbers come as Decimal."""
    refuse_other_sites()
    body = request.environ["wsgi.input"].read(BODY_BYTES + 1)
    if len(body) > BODY_BYTES:
        raise BodyTooLarge
    try:
        fields = json.loads(
            body.decode("utf-8"),
            parse_int=Decimal,
            parse_float=Decimal,
            parse_constant=_refuse_constant,
            object_pairs_hook=_without_repeated_names,
        )
    except InvalidOperation as error:
        raise BadRequest("the body holds a number beyond any use") from error
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"the body is not JSON: {str(error)[:200]}") from error
    if not isinstance(fields, dict):
        raise BadRequest("the body must be a JSON object")
    return fields


def query(name, default):
    """The query's parameter of that name, which may stand in it once."""
    # Bottle turns bytes that are not UTF-8 into other characters without a word: look at the raw ones.
    try:
        unquote_to_bytes(request.query_string).decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadRequest("the query is not UTF-8") from error
    values = request.query.getall(name)
    if len(values) > 1:
        raise BadRequest(f"{name} stands more than once in the query")
    return values[0].encode("latin-1").decode("utf-8") if values else default


def page():
    """The query's `after` (a cursor, "" for the start) and `limit` (1 to 1,000, 100 if not given)."""
    after, limit = query("after", ""), query("limit", str(PAGE_SIZE))
    if len(after) > CURSOR_CHARACTERS:
        raise BadRequest(f"after is longer than {CURSOR_CHARACTERS} characters")
    if not re.fullmatch(r"[0-9]{1,4}", limit) or not 1 <= int(limit) <= PAGE_SIZE_LIMIT:
        raise BadRequest(f"limit must be a whole number from 1 to {PAGE_SIZE_LIMIT}")
    return after, int(limit)


def number(amount):
    """A Decimal as the JSON number that Go writes for it: 100, 99.5, never 100.00 and never through a rounding."""
    whole = int(amount)
    return whole if whole == amount else amount.normalize()


def rfc3339(moment):
    """A naive UTC datetime, as MySQL gives it, in RFC 3339 with microseconds."""
    return moment.isoformat(timespec="microseconds") + "Z"


def json_line(body):
    """The body of an answer as bytes: a line, as the original's are, so that a terminal's prompt stands below it."""
    return to_json(body) + b"\n"


def problem(status, detail, error=None):
    """A problem document as bytes. An error that has a `type` and a `title` gives them to its document."""
    kind, title = getattr(error, "type", "about:blank"), getattr(error, "title", HTTPStatus(status).phrase)
    return json_line({"type": kind, "title": title, "status": status, "detail": detail})


def logged(app):
    """The app with a request id (the client's or one made here) on each answer and one line of log a request."""

    def application(environ, start_response):
        started = time.perf_counter()
        request_id = environ.get("HTTP_X_REQUEST_ID", "")
        if not _REQUEST_ID.fullmatch(request_id):
            request_id = str(uuid4())
        environ["request_id"] = request_id
        errors = environ["wsgi.errors"] = io.StringIO()  # Bottle's stack traces: they go into the line of log
        line = {"method": environ["REQUEST_METHOD"], "path": environ["PATH_INFO"], "request_id": request_id}
        if trace := traceparent(environ):
            environ["traceparent"] = line["traceparent"] = trace

        def start(status, headers, exc_info=None):
            line["status"] = int(status[:3])
            return start_response(status, [*headers, ("X-Request-Id", request_id)], exc_info)

        body = app(environ, start)
        line["duration_ms"] = round((time.perf_counter() - started) * 1000, 3)
        if errors.tell():
            log.error("request failed", extra={**line, "error": errors.getvalue()})
        else:
            log.info("request", extra=line)
        return body

    return application


def _as_json(status_by_error):
    errors = tuple(status_by_error)

    def plugin(route):
        def answered(*args, **kwargs):
            try:
                _refuse_broken_utf8(request.environ["bottle.raw_path"])
                body = route(*args, **kwargs)
            except errors as error:
                request.environ["outcome"] = type(error).__name__  # for the metrics
                status = next(status for kind, status in status_by_error.items() if isinstance(error, kind))
                return _problem_response(status, _detail(error), error, **_HEADERS_BY_STATUS.get(status, {}))
            if isinstance(body, dict):
                response.content_type = "application/json"
                return json_line(body)
            return body

        return answered

    return plugin


def _refuse_broken_utf8(path):
    """Bottle drops what is not UTF-8: the path of one account would be taken for that of another."""
    if not path.isascii():
        try:
            path.encode("latin-1").decode("utf-8")
        except UnicodeDecodeError as error:
            raise BadRequest("the path is not UTF-8") from error


def _detail(error):
    # What the database says is not for the client: it may name hosts and tables.
    if isinstance(error, OutcomeUnknown):
        return (
            "outcome unknown: the database connection was lost during the commit; retry with the same Idempotency-Key"
        )
    if isinstance(error, DatabaseUnavailable):
        return "the database is not available; nothing was changed"
    if isinstance(error, Conflict):
        return "other requests were in the way too often; nothing was changed"
    return str(error)


def _problem_response(status, detail, error, **headers):
    return HTTPResponse(problem(status, detail, error), status, {"Content-Type": "application/problem+json", **headers})


def _problem_of(status, detail):
    """Bottle's own errors (404, 405, 500 …); what it says of a 500 stays in the log."""
    response.content_type = "application/problem+json"
    return problem(
        status, "something went wrong here; the log knows what" if status == 500 else detail[:DETAIL_CHARACTERS]
    )


def _refuse_constant(name):
    raise ValueError(f"{name} is not a number")


def _without_repeated_names(pairs):
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return fields
