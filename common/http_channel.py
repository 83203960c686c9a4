"""A connection of the HTTP server: parses its requests, and sends its responses from the thread that computed them.

Only this module and common.http_server use the private API of waitress.
"""

import logging
import socket
import threading
import time
from typing import Any, cast

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.task import ErrorTask

from common.json_text import problem

PIPELINED_REQUESTS = 4  # accepted before the first is answered
SEND_BYTES = 16 * 1024  # a response up to this size is sent with one system call, headers and body

log = logging.getLogger("http")

_thread = threading.local()


def served_channel() -> "Channel | None":
    """The connection that the present thread serves."""
    return cast("Channel | None", getattr(_thread, "channel", None))


class _Parser(HTTPRequestParser):  # type: ignore[misc]  # waitress has no types
    def parse_header(self, header_plus: bytes) -> None:
        try:
            super().parse_header(header_plus)
        except ValueError as error:  # waitress would close the connection without a response
            raise ParsingError("the request line or the Content-Length is invalid") from error
        # Two lengths of one body permit request smuggling, because a proxy may use the other one.
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
    """A connection that records when the service began to wait for its client.

    waitress wakes its main loop after each response: to send it, and to wait for the next request. Passing the GIL
    between threads costs more than the rest of a short request. So the thread that computed a response sends it, and
    the main loop waits for the next request meanwhile. The main loop is woken only when a client does not read its
    response, or sends more data before its response arrives.
    """

    parser_class = _Parser
    error_task_class = _ProblemTask

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.waiting_since = time.monotonic()
        self._polled = False  # whether the main loop waits for data of this connection
        self._has_early_data = False  # data arrived before the response was sent; it stays in the socket until then
        self._in_service = False
        super().__init__(*arguments, **options)
        self.requests_lock = threading.RLock()  # reentrant, because `received` holds it while waitress takes it again

    def add_channel(self, map: Any = None) -> None:  # noqa: A002
        super().add_channel(map)
        self.server.http_server.loop.check(self._fileno)

    def del_channel(self, map: Any = None) -> None:  # noqa: A002
        self.server.http_server.loop.forget(self._fileno)
        super().del_channel(map)

    def readable(self) -> bool:
        # Reset first: if the state changes during this check, `service` must wake the main loop.
        self._polled = False
        # Still polled with a pending request: the registration remains for the next one, without a wake-up in between.
        if self.requests and not self._has_early_data:
            polled = not (self.will_close or self.close_when_flushed)
        else:
            polled = bool(super().readable())
        self._polled = polled
        return polled

    def writable(self) -> bool:
        # The thread that serves this connection sends what is pending, and so does the one that takes its next request.
        # The next request can arrive before the sending thread has counted what it sent: `total_outbufs_len` may still
        # include bytes that were already sent. The main loop would then find the socket writable at each turn, send
        # nothing, and keep the GIL from that thread.
        served = self._in_service or self.requests
        pending = self.total_outbufs_len
        return bool(self.will_close or self.close_when_flushed or pending >= SEND_BYTES or (pending and not served))

    def handle_read(self) -> None:
        self._has_early_data = bool(self.requests)
        if not self._has_early_data:
            super().handle_read()

    def received(self, data: bytes) -> bool:
        if self.request is None:
            self.waiting_since = time.monotonic()
        # waitress processes all requests that one read brings, and keeps every response until the client reads it:
        # few clients could occupy every thread. The requests beyond the limit get no response. With the lock no thread
        # completes a request before they are counted.
        with self.requests_lock:
            accepted: bool = super().received(data)
            if len(self.requests) > PIPELINED_REQUESTS:
                del self.requests[PIPELINED_REQUESTS:]
                self.requests[-1].headers["CONNECTION"] = "close"
        return accepted

    def service(self) -> None:
        self._in_service, _thread.channel = True, self
        if self.server.http_server.is_stopping:  # the client must send its next request on another connection
            self.requests[-1].headers["CONNECTION"] = "close"
        try:
            super().service()
        finally:
            _thread.channel = None
            self.waiting_since = time.monotonic()
            self._flush_exception(self._flush_some, do_close=False)
            self._in_service = False
        if self.total_outbufs_len or self.will_close or self.close_when_flushed or not self._polled:
            self.server.http_server.wake_to_check(self._fileno)

    def _flush_some(self, do_close: bool = True) -> bool:
        with self.outbuf_lock:  # waitress takes no lock here, because only its main loop sends
            return bool(super()._flush_some(do_close))

    def pending_output_bytes(self) -> int:
        """Bytes of responses that the client has not read."""
        return int(self.total_outbufs_len)

    def is_processing(self) -> bool:
        """Whether the client waits for the service."""
        # While a response is computed, pending bytes do not mean that the client reads slowly.
        pending = self.total_outbufs_len
        return bool(self.requests) and (not pending or (self._in_service and pending < SEND_BYTES))

    def is_receiving(self) -> bool:
        """Whether a part of a request has arrived."""
        return self.request is not None

    def has_unread_data(self) -> bool:
        """Whether the main loop has yet to read what the client sent. Never blocks."""
        try:
            return bool(self.socket.recv(1, socket.MSG_PEEK))
        except OSError:  # no data, or the connection is closed
            return False

    def close_soon(self) -> None:
        """Have the main loop close the connection at its next turn."""
        self.will_close = True
