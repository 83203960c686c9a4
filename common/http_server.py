"""The HTTP server: waitress, and all that touches its private parts. A unit test checks that each exists.

An upgrade of waitress breaks here, and only here.
"""

import logging
import socket
import time
from collections.abc import Callable
from typing import Any

from waitress import create_server, wasyncore
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.task import ErrorTask

from common.json_text import problem

THREADS = 16
IDLE_SECONDS = 60  # for the next request on an open connection
HEADER_BYTES = 16 * 1024
READ_BODY_BYTES = 96 * 1024  # waitress reads no larger body; the API refuses a smaller one with its own error
PIPELINED_REQUESTS = 4  # accepted before the first is answered

log = logging.getLogger("http")

WsgiApp = Callable[..., Any]


class HttpServer:
    """Serves the app on a listening socket, with a pool of threads. `run` blocks; other threads call the rest."""

    def __init__(self, app: WsgiApp, listener: socket.socket, connection_limit: int) -> None:
        self.connection_limit = connection_limit
        self._server = create_server(
            app,
            sockets=[listener],
            threads=THREADS,
            connection_limit=connection_limit,
            channel_timeout=IDLE_SECONDS,
            cleanup_interval=5,
            max_request_header_size=HEADER_BYTES,
            max_request_body_size=READ_BODY_BYTES,
            asyncore_use_poll=True,  # select() fails above file descriptor 1023
            log_socket_errors=False,  # a stack trace for each connection that cannot be accepted
            ident=None,
        )
        self._server.channel_class = Channel

    def run(self) -> None:
        self._server.run()

    def channels(self) -> list["Channel"]:
        """The open connections."""
        return list(self._server.active_channels.values())

    def wake(self) -> None:
        """Have the main loop check its connections now: it closes those with `close_soon()`."""
        self._server.pull_trigger()

    def stop_accepting(self) -> None:
        """Close the listening socket: new connections are refused, open ones are served.

        waitress's own shutdown leaves it open, and new connections hang: https://github.com/Pylons/waitress/issues/198
        """
        self._server.trigger.pull_trigger(lambda: wasyncore.dispatcher.close(self._server))

    def is_busy(self) -> bool:
        """Whether a request has no complete response yet."""
        return bool(self._server.task_dispatcher.queue) or any(
            channel.requests or channel.pending_output_bytes() for channel in self.channels()
        )


class _Parser(HTTPRequestParser):  # type: ignore[misc]  # waitress has no types
    def parse_header(self, header_plus: bytes) -> None:
        try:
            super().parse_header(header_plus)
        except ValueError as error:  # waitress would close the connection without a response
            raise ParsingError("the request line or the Content-Length is invalid") from error
        # Two lengths of one body: a proxy may use the other one, and then see another request begin elsewhere.
        # waitress 3.0.2 accepts both: https://github.com/Pylons/waitress/issues/464
        if (self.chunked and "CONTENT_LENGTH" in self.headers) or "TRANSFER_ENCODING" in self.headers:
            raise ParsingError("Transfer-Encoding is not allowed with Content-Length or in HTTP/1.0")


class _ProblemTask(ErrorTask):  # type: ignore[misc]
    """The response to what waitress refuses by itself: headers, lengths, sizes."""

    def execute(self) -> None:
        error = self.request.error
        error.to_response = lambda ident: (
            f"{error.code} {error.reason}",
            [("Content-Type", "application/problem+json")],
            problem(error.code, str(error.body)),
        )
        log.info("request refused", extra={"status": error.code, "reason": str(error.body)[:200]})
        super().execute()


class Channel(HTTPChannel):  # type: ignore[misc]
    """A connection that records since when the service has waited for its client."""

    parser_class = _Parser
    error_task_class = _ProblemTask

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.waiting_since = time.monotonic()
        super().__init__(*arguments, **options)

    def received(self, data: bytes) -> bool:
        if self.request is None:
            self.waiting_since = time.monotonic()
        accepted: bool = super().received(data)
        # waitress processes all requests that one read brings, and keeps every response until the client reads it:
        # few clients could occupy every thread. The requests beyond the limit get no response.
        with self.requests_lock:
            if len(self.requests) > PIPELINED_REQUESTS:
                del self.requests[PIPELINED_REQUESTS:]
                self.requests[-1].headers["CONNECTION"] = "close"
        return accepted

    def service(self) -> None:
        super().service()
        self.waiting_since = time.monotonic()

    def pending_output_bytes(self) -> int:
        """Bytes of responses that the client has not read."""
        return int(self.total_outbufs_len)

    def is_processing(self) -> bool:
        """Whether the client waits for the service."""
        return bool(self.requests) and not self.total_outbufs_len

    def is_receiving(self) -> bool:
        """Whether a part of a request has arrived."""
        return self.request is not None

    def close_soon(self) -> None:
        """Have the main loop close the connection at its next turn."""
        self.will_close = True
