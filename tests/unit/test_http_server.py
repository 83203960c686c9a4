"""The private API of waitress that the HTTP server uses: an upgrade that renames one fails here."""

import http.client
import random
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
from waitress import channel, parser, server, task, wasyncore

from common.connection_share import ConnectionCounts, ConnectionShare
from common.http_channel import PIPELINED_REQUESTS, Channel
from common.http_server import HttpServer
from tests.eventually import eventually


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener


@pytest.mark.parametrize(
    ("owner", "names"),
    [
        (server.TcpWSGIServer, ["channel_class", "pull_trigger", "handle_accept", "readable"]),
        (channel.HTTPChannel, ["parser_class", "error_task_class", "received", "service", "will_close", "request"]),
        (channel.HTTPChannel, ["task_class", "write_soon"]),
        (channel.HTTPChannel, ["total_outbufs_len", "close_when_flushed", "_flush_exception", "_flush_some"]),
        (channel.HTTPChannel, ["add_channel", "del_channel", "writable", "handle_read"]),
        (parser.HTTPRequestParser, ["parse_header", "chunked"]),
        (parser, ["ParsingError", "split_uri"]),
        (task.WSGITask, ["write", "build_response_header", "complete", "content_length", "content_bytes_written"]),
        (task.WSGITask, ["wrote_header", "status", "start_time"]),
        (task.ErrorTask, ["execute"]),
        (wasyncore.dispatcher, ["close"]),
        (wasyncore, ["read", "write"]),
    ],
)
def test_waitress_still_has_each_name_that_is_used(owner: Any, names: list[str]) -> None:
    assert [name for name in names if not hasattr(owner, name)] == []


def test_a_new_server_and_a_new_connection_have_each_attribute_that_is_used(listener: socket.socket) -> None:
    with serving(listener, answering(b"")) as http_server:
        inner = http_server._server
        assert {"active_channels", "adj", "task_dispatcher", "trigger", "_fileno", "_map"} <= vars(inner).keys()
        assert hasattr(inner.adj, "send_bytes")
        assert "queue" in vars(inner.task_dispatcher)
        assert hasattr(inner.trigger, "pull_trigger")

        with connected(listener):
            (accepted,) = eventually(http_server.channels)
            assert isinstance(accepted, Channel)
            assert {"requests", "requests_lock", "outbuf_lock", "socket", "_fileno"} <= vars(accepted).keys()


def test_a_request_that_waitress_refuses_is_answered_with_a_problem_document(listener: socket.socket) -> None:
    with serving(listener, answering(b"")):
        response = send(listener, b"GET http://[ HTTP/1.1\r\n\r\n")

    assert response.startswith(b"HTTP/1.1 400 ")
    assert b"Content-Type: application/problem+json" in response


def test_more_pipelined_requests_than_the_limit_are_not_answered(listener: socket.socket) -> None:
    with serving(listener, answering(b"ok")):
        response = send(listener, b"GET / HTTP/1.1\r\n\r\n" * 50)

    assert response.count(b"HTTP/1.1 200") == PIPELINED_REQUESTS
    assert b"Connection: close" in response


def test_the_main_loop_leaves_pending_output_to_the_thread_that_takes_the_next_request(
    listener: socket.socket,
) -> None:
    with serving(listener, answering(b"")) as http_server, connected(listener):
        (accepted,) = eventually(http_server.channels)
        accepted.total_outbufs_len = 10
        assert accepted.writable()

        accepted.requests = [object()]
        written_by_the_main_loop = accepted.writable()
        accepted.total_outbufs_len, accepted.requests = 0, []

    assert not written_by_the_main_loop


def test_a_server_is_busy_until_the_response_is_sent_and_refuses_connections_once_it_stops(
    listener: socket.socket,
) -> None:
    proceed = threading.Event()

    with serving(listener, answering(b"ok", proceed)) as http_server, connected(listener) as client:
        client.sendall(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
        eventually(http_server.is_busy)
        address = listener.getsockname()
        http_server.stop_accepting()
        eventually(lambda: is_refused(address))
        assert http_server.is_busy()

        proceed.set()
        response = read_all(client)

        eventually(lambda: not http_server.is_busy())
    assert response.startswith(b"HTTP/1.1 200 OK")


def test_a_server_is_busy_with_a_request_that_has_arrived_and_that_the_main_loop_has_not_read(
    listener: socket.socket,
) -> None:
    occupied, proceed = threading.Event(), threading.Event()

    def occupy() -> None:
        occupied.set()
        assert proceed.wait(10)

    with serving(listener, answering(b"ok")) as http_server, connected(listener) as client:
        client.sendall(b"GET /first HTTP/1.1\r\n\r\n")
        assert client.recv(1000).endswith(b"ok")
        eventually(lambda: not http_server.is_busy())
        http_server._server.trigger.pull_trigger(occupy)
        assert occupied.wait(10)

        client.sendall(b"GET /second HTTP/1.1\r\n\r\n")
        eventually(http_server.is_busy)
        proceed.set()

        assert client.recv(1000).endswith(b"ok")
        eventually(lambda: not http_server.is_busy())


def test_a_server_that_stops_answers_all_that_was_sent_and_then_closes_an_open_connection(
    listener: socket.socket,
) -> None:
    with serving(listener, answering(b"ok")) as http_server, connected(listener) as client:
        client.sendall(b"GET /first HTTP/1.1\r\n\r\n")
        first = client.recv(65536)
        address = listener.getsockname()
        http_server.stop_accepting()
        eventually(lambda: is_refused(address))

        client.sendall(b"GET /second HTTP/1.1\r\n\r\nGET /third HTTP/1.1\r\n\r\n")
        second, third = read_all(client).split(b"HTTP/1.1 200 OK")[1:]

    assert b"Connection: close" not in first + second
    assert b"Path: /third" in third
    assert b"Connection: close" in third


@pytest.mark.timeout(10)  # the main loop checks all connections once a second: what it misses takes so long
def test_the_main_loop_notices_each_next_request_at_once(listener: socket.socket) -> None:
    with serving(listener, answering(b"ok")), connected(listener) as client:
        for _ in range(100):
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert client.recv(1000).endswith(b"ok")


def test_every_request_of_many_clients_gets_its_response(listener: socket.socket) -> None:
    """Clients send their next request at once, or after a pause that may end just as a thread ends its work."""

    def client(seed: int) -> int:
        pauses, answered = random.Random(seed), 0
        for _ in range(8):
            with closing(http.client.HTTPConnection(*listener.getsockname(), timeout=10)) as connection:
                for _ in range(100):
                    connection.request("POST", "/", body=b"x" * pauses.choice([1, 100, 5000]))
                    answered += connection.getresponse().read() == b"ok"
                    time.sleep(pauses.choice([0, 0, pauses.uniform(0, 0.002)]))
        return answered

    with serving(listener, answering(b"ok")), ThreadPoolExecutor(8) as clients:
        assert list(clients.map(client, range(8))) == [800] * 8


def test_requests_that_arrive_before_the_response_are_answered_in_order(listener: socket.socket) -> None:
    proceed = threading.Event()

    with serving(listener, answering(b"", proceed)), connected(listener) as client:
        for path in (b"/1", b"/2", b"/3"):
            client.sendall(b"GET %s HTTP/1.1\r\n%s\r\n" % (path, b"Connection: close\r\n" if path == b"/3" else b""))
        proceed.set()
        response = read_all(client)

    assert [line.split()[1] for line in response.splitlines() if line.startswith(b"Path:")] == [b"/1", b"/2", b"/3"]


def test_a_client_that_ends_its_side_after_the_request_gets_its_response(listener: socket.socket) -> None:
    proceed = threading.Event()

    with serving(listener, answering(b"ok", proceed)) as http_server, connected(listener) as client:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        client.shutdown(socket.SHUT_WR)
        eventually(http_server.is_busy)
        proceed.set()

        assert read_all(client).endswith(b"ok")


def test_a_large_response_reaches_a_client_that_reads_late(listener: socket.socket) -> None:
    body = bytes(8 * 1024 * 1024)

    with serving(listener, answering(body)) as http_server, connected(listener) as client:
        client.sendall(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
        eventually(lambda: [each for each in http_server.channels() if each.pending_output_bytes()])

        assert read_all(client).endswith(body)


def test_a_connection_is_closed_at_once_after_a_wake_up(listener: socket.socket) -> None:
    with serving(listener, answering(b"ok")) as http_server, connected(listener) as client:
        (channel,) = eventually(http_server.channels)

        channel.close_soon()
        http_server.wake()

        assert client.recv(1) == b""


class serving:  # noqa: N801
    """Serve the app on the listener inside the block."""

    def __init__(self, listener: socket.socket, app: Callable[..., Iterable[bytes]]) -> None:
        share = ConnectionShare(ConnectionCounts(1), 0)
        self._server = HttpServer(app, listener, connection_limit=100, share=share)
        self._thread = threading.Thread(target=self._server.run)

    def __enter__(self) -> HttpServer:
        self._thread.start()
        return self._server

    def __exit__(self, *_: object) -> None:
        def close() -> None:
            wasyncore.close_all(self._server._server._map)

        self._server._server.trigger.pull_trigger(close)
        self._thread.join(timeout=10)
        self._server._server.task_dispatcher.shutdown()


def answering(body: bytes, proceed: threading.Event | None = None) -> Callable[..., Iterable[bytes]]:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if proceed:
            assert proceed.wait(10)
        start_response("200 OK", [("Content-Length", str(len(body))), ("Path", environ["PATH_INFO"])])
        return [body]

    return app


def connected(listener: socket.socket) -> closing[socket.socket]:
    return closing(socket.create_connection(listener.getsockname(), timeout=10))


def send(listener: socket.socket, data: bytes) -> bytes:
    with connected(listener) as client:
        client.sendall(data)
        return read_all(client)


def read_all(client: socket.socket) -> bytes:
    received = b""
    while piece := client.recv(65536):
        received += piece
    return received


def is_refused(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, timeout=1).close()
    except ConnectionError:  # refused; or reset, if the kernel had accepted it for a listener that was then closed
        return True
    return False
