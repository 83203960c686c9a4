"""The quick ways of the HTTP server give what waitress's own ways give, byte for byte."""

import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from waitress import parser, task
from waitress.adjustments import Adjustments
from waitress.task import WSGITask

from common import http_task
from common.http_task import Task

TIME = 1_795_000_000.5


class Channel:
    """A connection that keeps what is written to it."""

    def __init__(self, app: Callable[..., Any]) -> None:
        adjustments = Adjustments(ident=None)
        self.server = SimpleNamespace(adj=adjustments, application=app, effective_port=80, server_name="name")
        self.adj, self.addr = adjustments, ("127.0.0.1", 1)
        self.written: list[bytes] = []

    def write_soon(self, data: bytes) -> int:
        self.written.append(data)
        return len(data)

    def check_client_disconnected(self) -> bool:
        return False


def answered_by(kind: type[Any], app: Callable[..., Any], request: bytes) -> tuple[list[bytes], bool]:
    """What the task writes, and whether the connection ends then."""
    channel = Channel(app)
    parsed = parser.HTTPRequestParser(channel.adj)
    parsed.received(request)
    running = kind(channel, parsed)
    running.start = lambda: setattr(running, "start_time", TIME)
    running.service()
    return channel.written, running.close_on_finish


def app(
    status: str = "200 OK",
    headers: tuple[tuple[str, str], ...] = (("content-type", "text/plain"), ("X-Request-ID", "é")),
    body: tuple[bytes, ...] = (b"body",),
    length: int | None = None,
) -> Callable[..., Any]:
    def application(_environ: Any, start_response: Callable[..., Any]) -> Any:
        start_response(status, [*headers, *([] if length is None else [("content-length", str(length))])])
        return list(body)

    return application


@pytest.mark.parametrize(
    "application",
    [
        app(length=4),
        app(),
        app(status="304 Not Modified", body=()),
        app(status="204 No Content", body=(b"none",)),
        app(status="503 Service Unavailable", headers=(("Retry-After", "1"), ("b", "2"), ("B", "1")), length=4),
        app(headers=(("Date", "today"),), length=4),
        app(headers=(("Server", "another"),), length=4),
        app(body=(b"bo", b"dy"), length=4),
        app(body=(b"bo", b"dy")),
        app(body=(b"longer than announced",), length=4),
        app(body=(b"ab",), length=4),
        app(body=(), length=0),
    ],
    ids=[
        "with a length",
        "without a length",
        "not modified",
        "no content",
        "an error with a header twice",
        "with a date of its own",
        "with a server of its own",
        "in two pieces",
        "in chunks",
        "longer than announced",
        "shorter than announced",
        "empty",
    ],
)
@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /path HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /path HTTP/1.1\r\nConnection: keep-alive\r\n\r\n",
        b"GET /path HTTP/1.1\r\nConnection: Close\r\n\r\n",
        b"GET /path HTTP/1.0\r\n\r\n",
        b"GET /path HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        b"HEAD /path HTTP/1.1\r\n\r\n",
    ],
    ids=["HTTP/1.1", "keep-alive", "close", "HTTP/1.0", "HTTP/1.0 keep-alive", "HEAD"],
)
def test_a_response_has_the_same_bytes_as_waitress_gives_it(
    application: Callable[..., Any], request_bytes: bytes
) -> None:
    expected, expected_close = answered_by(WSGITask, application, request_bytes)

    written, close = answered_by(Task, application, request_bytes)

    assert (b"".join(written), close) == (b"".join(expected), expected_close)


def test_a_response_of_known_length_is_written_in_one_piece() -> None:
    written, _ = answered_by(Task, app(length=4), b"GET / HTTP/1.1\r\n\r\n")

    assert len(written) == 1


def test_each_second_has_its_own_date() -> None:
    dates = [http_task._http_date(TIME + seconds) for seconds in (0, 0.4, 1, 60)]

    assert dates == [task.build_http_date(TIME + seconds) for seconds in (0, 0.4, 1, 60)]


@pytest.mark.parametrize(
    "target",
    [*b"/ /balances/a-1_2.3~4 /a//b //host/a /a?b=c#d /a%2Fb /a:b * http://host/a?b /a;b".split(b" "), b"", b"/a\n"],
)
def test_a_target_is_split_as_waitress_splits_it(target: bytes) -> None:
    assert http_task.split_uri(target) == http_task._split_any_uri(target)


def test_waitress_splits_targets_with_the_quick_function() -> None:
    http_task.split_plain_paths()

    assert parser.split_uri is http_task.split_uri
    assert "split_uri(uri)" in inspect.getsource(parser.HTTPRequestParser.parse_header)
