"""The database's clock between two readings."""

import time
from collections.abc import Callable
from typing import Any

from common.mysql import DatabaseClock

REPLY_SECONDS = 0.3


class Server:
    """A database whose clock is time.time(). The delays are those of its next replies."""

    def __init__(self, *delays: float) -> None:
        self._delays = list(delays)

    def read(self, query: Callable[[Any], float]) -> float:
        return query(self)

    def execute(self, statement: str) -> None:
        self._microseconds = int(time.time() * 1_000_000)

    def fetchall(self) -> list[tuple[int]]:
        time.sleep(self._delays.pop(0))
        return [(self._microseconds,)]


def test_a_reply_that_was_late_does_not_set_the_clock_back() -> None:
    server: Any = Server(REPLY_SECONDS, 0, REPLY_SECONDS)

    shown = DatabaseClock(server)()

    assert abs(time.time() - shown / 1_000_000) < REPLY_SECONDS / 3


def test_the_clock_continues_without_another_reading() -> None:
    server: Any = Server(0, 0, 0)
    clock = DatabaseClock(server)
    first = clock()

    assert first <= clock() < first + 60_000_000
