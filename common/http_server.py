"""The HTTP server: waitress.

Only this module and common.http_channel use the private API of waitress. So an upgrade of waitress can break only these
two. A unit test checks that each private name exists.
"""

import socket
from collections.abc import Callable
from selectors import EVENT_READ, EVENT_WRITE
from typing import Any

from waitress import create_server, wasyncore
from waitress.server import TcpWSGIServer

from common.connection_share import ConnectionShare
from common.event_loop import CHECK_ALL_SECONDS, EventLoop
from common.http_channel import SEND_BYTES, Channel, served_channel

# Of a process. With 4, GETs at 64 connections cost a fifth more processor time; with 16, transfers are slower.
THREADS = 8
IDLE_SECONDS = 60  # for the next request on an open connection
HEADER_BYTES = 16 * 1024
READ_BODY_BYTES = 96 * 1024  # waitress reads no larger body; the API refuses a smaller one with its own error
CHECK_SHARE_SECONDS = 0.005  # while this process leaves new connections to the others

WsgiApp = Callable[..., Any]


class HttpServer:
    """Serves the app on a listening socket, with a pool of threads. `run` blocks; other threads call the rest."""

    def __init__(self, app: WsgiApp, listener: socket.socket, connection_limit: int, share: ConnectionShare) -> None:
        self.connection_limit, self._share = connection_limit, share
        self.is_stopping = False
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
        self._server.adj.send_bytes = SEND_BYTES  # the parameter of that name is deprecated
        self._server.pull_trigger = self._pull_trigger
        self._server.handle_accept = self._accept
        self._server.readable = self._accepts
        self._server.http_server = self
        self.loop = EventLoop(self._server._map, _handle, self._server._fileno)

    def run(self) -> None:
        self.loop.run()

    def channels(self) -> list["Channel"]:
        """The open connections."""
        return list(self._server.active_channels.values())

    def _pull_trigger(self) -> None:
        """Wake the main loop, unless a thread that calls this has a small response to send by itself."""
        channel = served_channel()
        if channel is None or channel.total_outbufs_len >= SEND_BYTES:
            if channel is not None:
                self.loop.check(channel._fileno)
            self._server.trigger.pull_trigger()

    def _accepts(self) -> bool:
        """Whether the main loop waits for a new connection. waitress also closes idle ones here."""
        self._share.update(len(self._server.active_channels))
        yielding = self._share.is_yielding()
        self.loop.wait_seconds = CHECK_SHARE_SECONDS if yielding else CHECK_ALL_SECONDS
        return TcpWSGIServer.readable(self._server) and not yielding

    def _accept(self) -> None:
        if self._share.may_accept():
            TcpWSGIServer.handle_accept(self._server)

    def wake_to_check(self, descriptor: int) -> None:
        """Wake the main loop to check the connection."""
        self.loop.check(descriptor)
        self._server.trigger.pull_trigger()

    def wake(self) -> None:
        """Wake the main loop to check all connections: the loop closes those with `close_soon()`."""
        for descriptor in list(self._server.active_channels):
            self.loop.check(descriptor)
        self._server.trigger.pull_trigger()

    def stop_accepting(self) -> None:
        """Close the listening socket: new connections are refused, and each open one is closed after its next response.

        waitress's own shutdown leaves it open, and new connections hang: https://github.com/Pylons/waitress/issues/198
        """

        def close() -> None:
            self.loop.forget(self._server._fileno)
            wasyncore.dispatcher.close(self._server)

        self.is_stopping = True
        self._server.trigger.pull_trigger(close)

    def is_busy(self) -> bool:
        """Whether a request has no complete response yet, also one that has arrived and is not read yet."""
        # Unread data first: the main loop may turn it into a request during this check.
        return bool(self._server.task_dispatcher.queue) or any(
            channel.has_unread_data() or channel.requests or channel.pending_output_bytes()
            for channel in self.channels()
        )


def _handle(dispatcher: Any, events: int) -> None:
    if events & EVENT_READ:
        wasyncore.read(dispatcher)
    if events & EVENT_WRITE:
        wasyncore.write(dispatcher)
