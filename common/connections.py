"""What a client may do with its connection: the limits that waitress does not hold by itself."""

import errno
import logging
import math
import os
import resource
import threading
import time
from contextlib import suppress
from typing import Any

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.task import ErrorTask

from common.json_api import problem

CONNECTIONS = 900  # of one process
OTHER_FILES = 96  # what else a process has open: a MySQL connection a thread, Kafka's brokers, pipes
FEWEST_FILES = 128
REQUEST_SECONDS = 20  # for a request to arrive complete: waitress waits without limit for one that comes byte by byte
RESPONSE_SECONDS = 30  # for a client to take its response
OVERLOADED_SECONDS = 2  # for either, and for the next request, when few connections are left
PIPELINED = 4  # requests taken before the first is answered
PENDING_OUTPUT_BYTES = 32 * 1024 * 1024  # responses held at once for clients that do not take them

log = logging.getLogger("http")


def connection_limit() -> int:
    """How many connections one process may hold: as many as the limit of open files allows, CONNECTIONS at most.

    The limit is raised where that is allowed: macOS begins with 256 files. Raises SystemExit where it is too low.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + OTHER_FILES
    if 0 <= soft < wanted:  # RLIM_INFINITY is negative, or larger than any number
        raised = wanted if hard < 0 else min(hard, wanted)
        with suppress(OSError, ValueError):  # where that is not allowed the soft limit stays
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
            soft = raised
        if soft < FEWEST_FILES:
            raise SystemExit(f"the limit of open files is {soft}; at least {FEWEST_FILES} are needed: ulimit -n 1024")
    return CONNECTIONS if soft < 0 else min(CONNECTIONS, soft - OTHER_FILES)


def close_idle_connections(server: Any, stop: threading.Event) -> None:
    """Close the connections that use a place, or memory, and keep the service waiting, so that others are served."""
    overloaded = False
    while not stop.wait(1):
        channels = sorted(server.active_channels.values(), key=lambda channel: channel.since)
        was_overloaded = overloaded
        overloaded = len(channels) > server.adj.connection_limit * 3 // 4 or not _files_left()
        if overloaded and not was_overloaded:
            numbers = {"connections": len(channels), "limit": server.adj.connection_limit}
            log.warning("few connections are left: closing idle ones", extra=numbers)
        pending_output = sum(channel.total_outbufs_len for channel in channels)
        for channel in channels:
            waited, pending_here = time.monotonic() - channel.since, channel.total_outbufs_len
            if waited > channel.allowed_seconds(overloaded) or (pending_output > PENDING_OUTPUT_BYTES and pending_here):
                pending_output -= pending_here
                channel.will_close = True
        server.pull_trigger()


def _files_left() -> bool:
    try:
        os.close(os.dup(0))
    except OSError as error:
        return error.errno not in (errno.EMFILE, errno.ENFILE)
    return True


class _Parser(HTTPRequestParser):
    def parse_header(self, header_plus: bytes) -> None:
        try:
            super().parse_header(header_plus)
        except ValueError as error:  # waitress would close the connection without a response
            raise ParsingError("the request's first line or its Content-Length cannot be read") from error
        # Two lengths for one body: a proxy may believe the other one, and see another request begin elsewhere.
        if (self.chunked and "CONTENT_LENGTH" in self.headers) or "TRANSFER_ENCODING" in self.headers:
            raise ParsingError("Transfer-Encoding is not allowed beside Content-Length, nor in HTTP/1.0")


class _ProblemTask(ErrorTask):
    """What waitress refuses by itself (headers, lengths, sizes) is a problem document too."""

    def execute(self) -> None:
        error = self.request.error
        error.to_response = lambda ident: (
            f"{error.code} {error.reason}",
            [("Content-Type", "application/problem+json")],
            problem(error.code, str(error.body)),
        )
        log.info("request refused", extra={"status": error.code, "reason": str(error.body)[:200]})
        super().execute()


class Channel(HTTPChannel):
    """A connection that knows since when its client has kept the service waiting."""

    parser_class = _Parser
    error_task_class = _ProblemTask

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.since = time.monotonic()
        super().__init__(*arguments, **options)

    def received(self, data: bytes) -> bool:
        if self.request is None:
            self.since = time.monotonic()
        taken: bool = super().received(data)
        # waitress processes all requests that one read brings, and keeps every response until the client takes it.
        # A few clients that take none would hold every thread. So the requests beyond PIPELINED get no response.
        with self.requests_lock:
            if len(self.requests) > PIPELINED:
                del self.requests[PIPELINED:]
                self.requests[-1].headers["CONNECTION"] = "close"
        return taken

    def service(self) -> None:
        super().service()
        self.since = time.monotonic()

    def allowed_seconds(self, overloaded: bool) -> float:
        """How long the client may keep the service waiting as it now does."""
        if self.requests and not self.total_outbufs_len:
            return math.inf  # it is the client who waits
        if overloaded:
            return OVERLOADED_SECONDS
        if self.total_outbufs_len:
            return RESPONSE_SECONDS
        return float(self.adj.channel_timeout if self.request is None else REQUEST_SECONDS)
