"""Which connections are closed: those whose client keeps the service waiting."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any

import pytest

from common.connections import (
    OVERLOADED_SECONDS,
    PENDING_OUTPUT_BYTES,
    REQUEST_SECONDS,
    RESPONSE_SECONDS,
    allowed_seconds,
    close_idle_connections,
)
from common.http_server import IDLE_SECONDS

LIMIT = 900


@dataclass
class Connection:
    """A connection whose client has kept the service waiting since then."""

    waiting_since: float
    processing: bool = False
    pending: int = 0
    receiving: bool = False
    closed: bool = False

    def pending_output_bytes(self) -> int:
        return self.pending

    def is_processing(self) -> bool:
        return self.processing

    def is_receiving(self) -> bool:
        return self.receiving

    def close_soon(self) -> None:
        self.closed = True


@dataclass
class Server:
    connections: Sequence[Connection]
    connection_limit: int = LIMIT
    woken: int = 0

    def channels(self) -> Sequence[Connection]:
        return self.connections

    def wake(self) -> None:
        self.woken += 1


class OneTurn(Event):
    """Ends close_idle_connections after its first turn."""

    def __init__(self) -> None:
        super().__init__()
        self._turns = iter([False, True])

    def wait(self, timeout: float | None = None) -> bool:
        return next(self._turns)


def connection(waited: float, **state: Any) -> Connection:
    return Connection(time.monotonic() - waited, **state)


def closed(*connections: Connection) -> list[bool]:
    """Which of these connections one turn of close_idle_connections closes."""
    server = Server(connections)
    close_idle_connections(server, OneTurn())
    assert server.woken == 1
    return [each.closed for each in connections]


def many_idle() -> list[Connection]:
    return [connection(OVERLOADED_SECONDS + 1) for _ in range(LIMIT * 3 // 4 + 1)]


@pytest.mark.parametrize(
    ("state", "seconds"),
    [
        ({}, IDLE_SECONDS),
        ({"receiving": True}, REQUEST_SECONDS),
        ({"pending": 1}, RESPONSE_SECONDS),
        ({"pending": 1, "receiving": True}, RESPONSE_SECONDS),
    ],
    ids=["idle", "an incomplete request", "an unread response", "an unread response, with another request"],
)
def test_each_state_in_which_the_service_waits_has_its_limit(state: dict[str, Any], seconds: float) -> None:
    assert closed(connection(seconds - 1, **state), connection(seconds + 1, **state)) == [False, True]


def test_a_client_that_waits_for_the_service_is_never_closed_even_under_overload() -> None:
    waiting = connection(10_000, processing=True)

    assert allowed_seconds(waiting, overloaded=True) == math.inf
    assert closed(waiting, *many_idle())[:2] == [False, True]


def test_under_overload_every_client_has_two_seconds() -> None:
    slow, fast = connection(OVERLOADED_SECONDS + 1), connection(OVERLOADED_SECONDS - 1)

    assert closed(slow, fast, *many_idle())[:2] == [True, False]


def test_unread_responses_are_discarded_oldest_first_before_they_fill_the_memory() -> None:
    oldest, older, newest = (connection(waited, pending=PENDING_OUTPUT_BYTES // 2) for waited in (3, 2, 1))

    assert closed(newest, oldest, older) == [False, True, False]
