"""How the HTTP processes of a service share its connections: shared memory has the number of each process."""

import mmap
import time

AHEAD = 2  # a process with so many connections more than another first lets others accept a new one
YIELD_SECONDS = 0.5  # the longest that it lets them: the others may hang
HANGING_SECONDS = 1  # how long it then accepts every connection at once


class ConnectionCounts:
    """The number of open connections of each process. Created before the processes are."""

    def __init__(self, processes: int) -> None:
        self._numbers = memoryview(mmap.mmap(-1, 4 * processes)).cast("I")

    def write(self, process: int, connections: int) -> None:
        self._numbers[process] = connections

    def lowest(self) -> int:
        return min(self._numbers)


class ConnectionShare:
    """Decides when this process accepts a connection: the kernel may otherwise give all of them to one process.

    SO_REUSEPORT distributes by a hash. Of 16 connections over two processes, one gets 12 or more in 8 % of all cases.
    """

    def __init__(self, counts: ConnectionCounts, process: int) -> None:
        self._counts, self._process = counts, process
        self._connections = 0
        self._yield_until: float | None = None
        self._lowest = 0  # the lowest count when it began to yield

    def update(self, connections: int) -> None:
        self._connections = connections
        self._counts.write(self._process, connections)

    def is_yielding(self) -> bool:
        """Whether to leave new connections to the other processes for now."""
        if self._yield_until is None:
            return False
        now, lowest = time.monotonic(), self._counts.lowest()
        is_ahead = self._connections >= lowest + AHEAD
        if not is_ahead or lowest > self._lowest or now > self._yield_until + HANGING_SECONDS:
            self._yield_until = None  # the others have accepted what waited, or hang no longer
            return False
        return now < self._yield_until

    def may_accept(self) -> bool:
        """Whether to accept the connection that waits; if not, `is_yielding` is true for at most YIELD_SECONDS."""
        lowest = self._counts.lowest()
        if self._connections < lowest + AHEAD:
            return True
        if self._yield_until is None:
            self._yield_until, self._lowest = time.monotonic() + YIELD_SECONDS, lowest
        return time.monotonic() >= self._yield_until
