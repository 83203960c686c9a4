"""The database's clock, in microseconds since 1970."""

import time

from common.mysql.connection import Cursor
from common.mysql.database import Database

CLOCK = "CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS UNSIGNED)"
READINGS = 3  # of which a busy machine answers one at once
# A stored time later than this was written while the database's clock was ahead, and that clock was corrected since.
# The hour allows for the nodes of a cluster, whose clocks are not equal, and for an operator who holds a lease by hand.
IMPOSSIBLE_TIME = "(UTC_TIMESTAMP(6) + INTERVAL 1 HOUR)"


def read_clock(cursor: Cursor) -> int:
    """The database's clock, in microseconds since 1970."""
    cursor.execute(f"SELECT {CLOCK}")
    ((microseconds,),) = cursor.fetchall()
    return int(microseconds)


class DatabaseClock:
    """The database's clock without a round trip for each use: this process's clock continues the last reading."""

    REFRESH_SECONDS = 30

    def __init__(self, database: Database) -> None:
        self._database = database
        self._read_at: float | None = None
        self._ahead = 0.0  # microseconds, of the monotonic clock

    def __call__(self) -> int:
        """Microseconds since 1970. Raises DatabaseUnavailable before the first reading."""
        if self._read_at is None or time.monotonic() - self._read_at > self.REFRESH_SECONDS:
            self._ahead = self._database.read(_ahead_of_monotonic)
            self._read_at = time.monotonic()
        return int(time.monotonic() * 1_000_000 + self._ahead)


def _ahead_of_monotonic(cursor: Cursor) -> float:
    """How far the database's clock is ahead of the monotonic clock, in microseconds, by the fastest of a few readings.

    A reading is that of any moment between request and reply: the middle is wrong by at most half of that time.
    """
    readings = []
    for _ in range(READINGS):
        sent = time.monotonic()
        microseconds = read_clock(cursor)
        received = time.monotonic()
        readings.append((received - sent, microseconds - (sent + received) / 2 * 1_000_000))
    return min(readings)[1]
