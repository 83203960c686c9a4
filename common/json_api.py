"""A Bottle app for JSON: response bodies, the HTTP status of each error, and its problem document (RFC 9457)."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from bottle import Bottle, HTTPResponse, request, response

from common.access import BearerAuthentication, CrossSite, Unauthorized, cross_origin_reads
from common.http_request import BadRequest, BodyTooLarge
from common.json_text import json_line, problem
from common.mysql import Conflict, DatabaseUnavailable, OutcomeUnknown
from common.version import VERSION

RETRY_AFTER_SECONDS = 1
DETAIL_CHARACTERS = 300  # Bottle's 404 repeats the path, which may be long

Route = TypeVar("Route", bound=Callable[..., Any])

_STATUS_BY_ERROR: dict[type[Exception], int] = {
    BadRequest: 400,
    Unauthorized: 401,
    CrossSite: 403,
    BodyTooLarge: 413,
    Conflict: 503,
    DatabaseUnavailable: 503,
}
_HEADERS_BY_STATUS = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": str(RETRY_AFTER_SECONDS)}}


class JsonApp(Bottle):  # type: ignore[misc]  # Bottle has no types
    """An app whose routes return dicts and may raise the errors of `status_by_error`: each becomes its status.

    With a token, every route requires it as bearer authentication, except those registered with `public=True`.
    `<name:id>` in a path matches any characters, including a slash. Pages of `other_origin` may read the routes that
    are registered with `cross_origin=True`.
    """

    def __init__(
        self, status_by_error: Mapping[type[Exception], int], token: str = "", other_origin: str | None = None
    ) -> None:
        super().__init__()
        self.router.add_filter("id", lambda _: (r"(?s:.+)", None, None))
        self.uninstall("json")  # Bottle's own plugin cannot encode a Decimal
        self.default_error_handler = lambda error: _problem_of(error.status_code, str(error.body))
        self.install(_json_plugin({**_STATUS_BY_ERROR, **status_by_error}))
        if token:
            self.install(BearerAuthentication(token))
        if other_origin:
            self.add_hook("after_request", cross_origin_reads(other_origin))

    def get(self, path: str, **options: Any) -> Callable[[Route], Route]:
        return self._registering("GET", path, options)

    def post(self, path: str, **options: Any) -> Callable[[Route], Route]:
        return self._registering("POST", path, options)

    def _registering(self, method: str, path: str, options: dict[str, Any]) -> Callable[[Route], Route]:
        def register(route: Route) -> Route:
            self.route(path, method, route, **options)
            return route

        return register


def serve_health(app: JsonApp, check: Callable[[], tuple[int, Mapping[str, Any]]]) -> None:
    """Serve /health, 200 while the process serves, and /ready with the status and facts that `check()` returns."""

    @app.get("/health", public=True)
    def health() -> dict[str, Any]:
        return {"status": "ok", "version": VERSION}

    @app.get("/ready", public=True)
    def ready() -> HTTPResponse:
        status, facts = check()
        return HTTPResponse(json_line(facts), status, {"Content-Type": "application/json"})


def _json_plugin(status_by_error: Mapping[type[Exception], int]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    errors = tuple(status_by_error)

    def plugin(route: Callable[..., Any]) -> Callable[..., Any]:
        def respond(*args: Any, **kwargs: Any) -> Any:
            try:
                _refuse_invalid_utf8(request.environ["bottle.raw_path"])
                body = route(*args, **kwargs)
            except errors as error:
                request.environ["outcome"] = type(error).__name__  # for the metrics
                status = next(status for kind, status in status_by_error.items() if isinstance(error, kind))
                headers = {"Content-Type": "application/problem+json", **_HEADERS_BY_STATUS.get(status, {})}
                return HTTPResponse(problem(status, _detail(error), error), status, headers)
            if isinstance(body, dict):
                response.content_type = "application/json"
                return json_line(body)
            return body

        return respond

    return plugin


def _refuse_invalid_utf8(path: str) -> None:
    """Raise BadRequest. Bottle drops such bytes, and would take the path of one account for that of another."""
    if not path.isascii():
        try:
            path.encode("latin-1").decode("utf-8")
        except UnicodeDecodeError as error:
            raise BadRequest("the path is not UTF-8") from error


def _detail(error: Exception) -> str:
    # The text of a database error stays in the log, because it may name hosts and tables.
    if isinstance(error, OutcomeUnknown):
        return (
            "outcome unknown: the database connection was lost during the commit. Retry with the same Idempotency-Key"
            " or, without one, first check whether the change was made"
        )
    if isinstance(error, DatabaseUnavailable):
        return "the database is not available; this attempt changed nothing"
    if isinstance(error, Conflict):
        return "too many conflicts with other requests; this attempt changed nothing; retry"
    return str(error)


def _problem_of(status: int, detail: str) -> bytes:
    """The problem document of Bottle's own errors: 404, 405, 500 and others."""
    response.content_type = "application/problem+json"
    if status == 500:
        detail = "internal error; search the log for this X-Request-Id"
    return problem(status, detail[:DETAIL_CHARACTERS])
