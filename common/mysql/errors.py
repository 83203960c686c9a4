"""What an error of MySQL or MariaDB means to a service: an outage, a conflict, or a fault of the statement.

The class of a PyMySQL error is not enough: an unknown column (1054) and a lost connection (2013) are both an
OperationalError. The codes decide. Most were provoked on MySQL 9.7 and MariaDB 10.11 (see
tests/unit/test_mysql_errors.py). The others are from the servers' lists of errors.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pymysql

DEADLOCK, LOCK_WAIT_TIMEOUT, NOWAIT_REFUSED = 1213, 1205, 3572
STATEMENT_BINLOG = 1665
BINLOG_HINT = "binlog_format=STATEMENT excludes READ COMMITTED; SET GLOBAL binlog_format = ROW"
ERROR_DURING_COMMIT = 1180
# The same number as a full disk. Group replication: the transaction of another member was faster, and this one was
# rolled back. The text has no translation, because common.mysql.session sets lc_messages.
DEADLOCK_DURING_COMMIT = "Got error 149 - "
CHECK_VIOLATED = {3819, 4025}  # MySQL's number, MariaDB's number
PACKET_TOO_LARGE = 1153

# The transaction was rolled back because of another one, and may be retried.
CONFLICTS = frozenset(
    {
        1020,  # record has changed since it was read (MariaDB, also of a cluster)
        LOCK_WAIT_TIMEOUT,
        DEADLOCK,  # of a cluster at COMMIT too, when another node was faster
        1614,  # deadlock of a distributed transaction
        3101,  # a plugin asks for a rollback: group replication, when another node was faster
        NOWAIT_REFUSED,
    }
)

# The server accepts no writes. Another server may, or the same one later.
READ_ONLY = frozenset(
    {
        1015,  # cannot lock a file (MySQL, with innodb_read_only)
        1036,  # table is read-only (MariaDB with innodb_read_only, both with innodb_force_recovery)
        1047,  # node of a cluster that is not ready ("unknown command")
        1290,  # running with --read-only
        1792,  # read-only transaction
        STATEMENT_BINLOG,
        1836,  # read-only mode
        1874,  # InnoDB is in read-only mode
        1881,  # InnoDB is in recovery mode
        3100,  # replication hook: no majority
        3989,  # schema is read-only
    }
)

# This server cannot serve this connection, or at all.
OUTAGES = READ_ONLY | frozenset(
    {
        *range(2000, 2062),  # what the client finds: cannot connect, connection lost, handshake failed …
        1016,  # cannot open a file
        1021,  # disk full
        1026,  # error writing a file
        1030,  # error from the storage engine
        1037,  # out of memory
        1040,  # too many connections
        1041,  # out of memory
        1042,  # cannot resolve the client's name
        1043,  # bad handshake
        1053,  # shutdown in progress
        1077,  # normal shutdown
        1079,  # shutdown complete
        1080,  # forced close of the thread
        1114,  # table full
        1129,  # client's host is blocked
        1130,  # client's host is not allowed
        1135,  # cannot create a thread
        1152,  # connection aborted
        *range(1154, 1162),  # what the server finds on the network: read error, timeout, packets out of order …
        ERROR_DURING_COMMIT,
        1181,  # error during ROLLBACK
        1184,  # connection aborted
        1189,  # network error
        1190,  # network error
        1203,  # too many connections of this user
        1226,  # a limit of this user
        1317,  # statement was ended by KILL
        1927,  # connection was killed (MariaDB)
        1969,  # statement took longer than the server allows (MariaDB)
        3024,  # statement took longer than the server allows (MySQL)
        3032,  # server is in offline mode
        3675,  # disk full at a new table
        3168,  # server is not available, try another one
        4031,  # server ended the idle connection
    }
)


class DatabaseUnavailable(Exception):
    """The server cannot be reached, or cannot serve. Nothing was committed, unless the error is an OutcomeUnknown."""


class OutcomeUnknown(DatabaseUnavailable):
    """MySQL failed during a COMMIT, which may or may not have taken effect."""


class Conflict(Exception):
    """Another transaction was in the way. This one was rolled back and may be retried."""


def translated(error: BaseException) -> BaseException:
    """The error of this module for a PyMySQL error; any other error unchanged."""
    if isinstance(error, (pymysql.InterfaceError, pymysql.InternalError)):
        return DatabaseUnavailable(str(error))  # a connection that is closed, or whose packets are out of order
    if not isinstance(error, pymysql.MySQLError):
        return error
    code = code_of(error)
    if code in CONFLICTS or (code == ERROR_DURING_COMMIT and DEADLOCK_DURING_COMMIT in str(error)):
        return Conflict(str(error))
    if code == STATEMENT_BINLOG:
        return DatabaseUnavailable(f"{BINLOG_HINT}: {error}")
    if code in OUTAGES:
        return DatabaseUnavailable(str(error))
    return error


def code_of(error: BaseException | None) -> int:
    """The server's or client's number of a PyMySQL error, 0 if it has none."""
    code = error.args[0] if isinstance(error, pymysql.MySQLError) and error.args else 0
    return code if isinstance(code, int) else 0


@contextmanager
def own_errors() -> Iterator[None]:
    """Raise the errors of this module instead of PyMySQL's, for work on a connection of the caller."""
    try:
        yield
    except pymysql.MySQLError as error:
        if (own := translated(error)) is error:
            raise
        raise own from error
