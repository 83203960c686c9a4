"""How many connections a process accepts, and which ones it closes so that others are served.

waitress has a limit on their number and on idle time. It waits without limit for a request that arrives byte by byte.
"""

import errno
import logging
import math
import os
import resource
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

from common.http_server import IDLE_SECONDS

CONNECTIONS = 900  # of one process
OTHER_FILES = 96  # open files that are no HTTP connection: MySQL, Kafka, pipes
MINIMUM_FILES = 128
REQUEST_SECONDS = 20  # for a complete request to arrive
RESPONSE_SECONDS = 30  # for a client to read its response
OVERLOADED_SECONDS = 2  # for either, and for the next request, when few connections are left
PENDING_OUTPUT_BYTES = 32 * 1024 * 1024  # of all responses that clients have not read

log = logging.getLogger("http")


class Connection(Protocol):
    """An open connection: a Channel of `common.http_server`."""

    waiting_since: float

    def pending_output_bytes(self) -> int: ...
    def is_processing(self) -> bool: ...
    def is_receiving(self) -> bool: ...
    def close_soon(self) -> None: ...


class Server(Protocol):
    connection_limit: int

    def channels(self) -> Sequence[Connection]: ...
    def wake(self) -> None: ...


def connection_limit() -> int:
    """How many connections one process may have: as many as its limit of open files allows, CONNECTIONS at most.

    Raises that limit where the system allows it: macOS starts with 256 files. Raises SystemExit where it is too low.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    required = CONNECTIONS + OTHER_FILES
    if 0 <= soft < required:  # RLIM_INFINITY is negative, or larger than any number
        raised = required if hard < 0 else min(hard, required)
        with suppress(OSError, ValueError):  # the system does not allow it: the soft limit stays
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
            soft = raised
        if soft < MINIMUM_FILES:
            raise SystemExit(
                f"the limit of open files is {soft}; the minimum is {MINIMUM_FILES}. Raise it: ulimit -n 1024"
            )
    return CONNECTIONS if soft < 0 else min(CONNECTIONS, soft - OTHER_FILES)


def close_idle_connections(server: Server, stop: threading.Event) -> None:
    """Every second until `stop`, close the connections whose client keeps the service waiting for too long."""
    overloaded = False
    while not stop.wait(1):
        channels = sorted(server.channels(), key=lambda channel: channel.waiting_since)
        was_overloaded = overloaded
        overloaded = len(channels) > server.connection_limit * 3 // 4 or not _can_open_file()
        if overloaded and not was_overloaded:
            numbers = {"connections": len(channels), "limit": server.connection_limit}
            log.warning("few connections are left: closing idle ones", extra=numbers)
        pending_bytes = sum(channel.pending_output_bytes() for channel in channels)
        for channel in channels:
            waited, pending_here = time.monotonic() - channel.waiting_since, channel.pending_output_bytes()
            if waited > allowed_seconds(channel, overloaded) or (pending_bytes > PENDING_OUTPUT_BYTES and pending_here):
                pending_bytes -= pending_here
                channel.close_soon()
        server.wake()


def allowed_seconds(channel: Connection, overloaded: bool) -> float:
    """How long the client may keep the service waiting in the connection's present state."""
    if channel.is_processing():
        return math.inf
    if overloaded:
        return OVERLOADED_SECONDS
    if channel.pending_output_bytes():
        return RESPONSE_SECONDS
    return REQUEST_SECONDS if channel.is_receiving() else IDLE_SECONDS


def _can_open_file() -> bool:
    try:
        os.close(os.dup(0))
    except OSError as error:
        return error.errno not in (errno.EMFILE, errno.ENFILE)
    return True
