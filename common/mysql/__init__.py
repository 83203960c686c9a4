"""MySQL and MariaDB for both services: one connection for each thread, a `with` block is a transaction."""

from common.mysql.clock import CLOCK, IMPOSSIBLE_TIME, DatabaseClock, read_clock
from common.mysql.connection import Connection, Cursor
from common.mysql.database import IDLE_SECONDS, PROBE_SECONDS, TRUST_SECONDS, WAIT_TIMEOUT_SECONDS, Database
from common.mysql.errors import Conflict, DatabaseUnavailable, OutcomeUnknown, own_errors
from common.mysql.retry import CONFLICT_TRIES, repeat_on_conflict

__all__ = [
    "CLOCK",
    "CONFLICT_TRIES",
    "IDLE_SECONDS",
    "IMPOSSIBLE_TIME",
    "PROBE_SECONDS",
    "TRUST_SECONDS",
    "WAIT_TIMEOUT_SECONDS",
    "Conflict",
    "Connection",
    "Cursor",
    "Database",
    "DatabaseClock",
    "DatabaseUnavailable",
    "OutcomeUnknown",
    "own_errors",
    "read_clock",
    "repeat_on_conflict",
]
