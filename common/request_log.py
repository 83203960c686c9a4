"""Request logging middleware: one line of log and one X-Request-Id for each request."""

import io
import logging
import re
import time
from collections.abc import Callable
from typing import Any

from common.ids import random_id
from common.log import info
from common.trace import traceparent

log = logging.getLogger("http")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def request_logging_middleware(app: Callable[..., Any]) -> Callable[..., Any]:
    """Log each request with its status and duration; send its id, the client's or a new one, in X-Request-Id."""

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        started = time.perf_counter()
        request_id = environ.get("HTTP_X_REQUEST_ID", "")
        if not _REQUEST_ID.fullmatch(request_id):
            request_id = random_id()
        environ["request_id"] = request_id
        errors = environ["wsgi.errors"] = io.StringIO()  # Bottle writes stack traces here; the log line contains them
        line = {"method": environ["REQUEST_METHOD"], "path": environ["PATH_INFO"], "request_id": request_id}
        if trace := traceparent(environ):
            environ["traceparent"] = line["traceparent"] = trace

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            line["status"] = int(status[:3])
            return start_response(status, [*headers, ("X-Request-Id", request_id)], exc_info)

        body = app(environ, start)
        line["duration_ms"] = round((time.perf_counter() - started) * 1000, 3)
        if stack := errors.getvalue():
            log.error("request failed", extra={**line, "error": stack})
        else:
            info(log, "request", line)
        return body

    return application
