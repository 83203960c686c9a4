"""MySQL for both services: a connection a thread, a transaction a `with` block."""

import re
import select
import threading
import time
from contextlib import contextmanager, suppress
from urllib.parse import unquote, urlsplit

import pymysql
from pymysql.constants import CLIENT

from common.environment import Misconfigured

CONNECT_SECONDS = 3
STATEMENT_SECONDS = 10  # PyMySQL's own default is to wait for ever
LOCK_WAIT_SECONDS = 5
# After so long a silence MySQL ends the session: a process that hangs in a transaction would keep its rows locked, and
# the partitions that another takes over from it with them. An idle connection is replaced at its next use; a little
# earlier, lest MySQL ends it just as it is used.
SILENT_SECONDS, IDLE_SECONDS = 6, 5
CONFLICT_TRIES = 10

DEADLOCK, LOCK_WAIT_TIMEOUT, NOWAIT_REFUSED = 1213, 1205, 3572
CHECK_VIOLATED = {3819, 4025}  # MySQL's number, MariaDB's number


class DatabaseUnavailable(Exception):
    """MySQL is away, or went away in the middle: whether a COMMIT under way took effect is not known."""


class Conflict(Exception):
    """Another transaction was in the way; this one was rolled back and may be tried again."""


class Database:
    """A database named by a URL in dbmate's form: mysql://user:password@host:port/database."""

    def __init__(self, url, ssl_ca=None):
        parts = _parts(url)
        self.name = unquote(parts.path.strip("/"))
        self._options = {
            "host": parts.hostname,
            "port": parts.port or 3306,
            "user": unquote(parts.username or ""),
            "password": unquote(parts.password or ""),
            "database": self.name,
            "charset": "utf8mb4",
            "autocommit": True,  # a lone SELECT then needs neither BEGIN nor COMMIT
            "connect_timeout": CONNECT_SECONDS,
            "read_timeout": STATEMENT_SECONDS,
            "write_timeout": STATEMENT_SECONDS,
            "cursorclass": _Cursor,
            "client_flag": CLIENT.MULTI_STATEMENTS,
            **_encryption(ssl_ca),
        }
        self._local = threading.local()

    @contextmanager
    def transaction(self):
        """Give a cursor; commit on a clean exit, roll back and re-raise on any exception.

        Raises Conflict after a deadlock or a lock wait, DatabaseUnavailable when MySQL is away.
        """
        connection = self._connection()
        try:
            with connection.cursor() as cursor:
                cursor.later("BEGIN")
                yield cursor
                cursor.execute("COMMIT")
        except BaseException as error:
            self._roll_back(connection)
            raise translated(error) from error

    def read(self, query, *arguments):
        """Run `query(cursor, *arguments)`, which may only SELECT, outside any transaction."""
        connection = self._connection()
        try:
            with connection.cursor() as cursor:
                return query(cursor, *arguments)
        except (pymysql.OperationalError, pymysql.InterfaceError) as error:
            self._forget(connection)
            raise translated(error) from error

    def connect(self):
        """A new connection, the caller's to close: READ COMMITTED, UTC, autocommit."""
        try:
            connection = pymysql.connect(
                init_command="SET SESSION time_zone = '+00:00',"
                f" SESSION innodb_lock_wait_timeout = {LOCK_WAIT_SECONDS}",
                **self._options,
            )
            with connection.cursor() as cursor:
                # A statement of its own: the variable behind it has another name on MariaDB than on MySQL.
                cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        except (pymysql.Error, OSError) as error:
            raise translated(error) from error
        return connection

    def _connection(self):
        """This thread's connection. One that MySQL has ended meanwhile, or soon will, is replaced before it is used."""
        connection, now = getattr(self._local, "connection", None), time.monotonic()
        if connection is not None:
            if now < self._local.idle_at and _is_silent(connection):
                self._local.idle_at = now + IDLE_SECONDS
                return connection
            self._forget(connection)
        connection = self.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET SESSION wait_timeout = %s", (SILENT_SECONDS,))
        except (pymysql.Error, OSError) as error:
            raise translated(error) from error
        self._local.connection, self._local.idle_at = connection, now + IDLE_SECONDS
        return connection

    def _roll_back(self, connection):
        try:
            connection.rollback()
        except (pymysql.Error, OSError):  # a lost connection has rolled back by itself
            self._forget(connection)

    def _forget(self, connection):
        self._local.connection = None
        with suppress(pymysql.Error, OSError):
            connection.close()


class _Cursor(pymysql.cursors.Cursor):
    """A cursor that may hold statements back, to go out with the next: a round trip costs more than many.

    `inserted_id` is the first AUTO_INCREMENT number that its last such INSERT drew.
    """

    def __init__(self, connection):
        super().__init__(connection)
        self.inserted_id = None
        self._held = []

    def later(self, statement, parameters=None):
        """Run the statement before the next one that is executed, COMMIT at the latest. Its error is raised there."""
        self._held.append(self._as_bytes(self.mogrify(statement, parameters)))

    def send_held(self):
        """Run what is held back now."""
        if self._held:
            self.execute(self._held.pop())

    def execute(self, query, args=None):
        self.later(query, args)
        statements, self._held = self._held, []
        super().execute(b";\n".join(statements))
        self.inserted_id = self.lastrowid or self.inserted_id
        for _ in statements[1:]:  # MySQL stops at the first that fails, and so does this
            self.nextset()
            self.inserted_id = self.lastrowid or self.inserted_id
        return self.rowcount

    def _as_bytes(self, query):  # as PyMySQL itself sends it, and as executemany already hands it over
        return query.encode(self.connection.encoding, "surrogateescape") if isinstance(query, str) else query


def _is_silent(connection):
    """Whether nothing is to be read: between two statements that would be MySQL's last word, or the connection's end.

    This takes the place of a ping before each use, which would cost a round trip.
    """
    poll = select.poll()
    poll.register(connection._sock, select.POLLIN)
    return not poll.poll(0)


def _encryption(ssl_ca):
    """Without a CA the network is trusted; PyMySQL would otherwise encrypt without verifying anybody."""
    if not ssl_ca:
        return {"ssl_disabled": True}
    return {"ssl_ca": ssl_ca, "ssl_verify_cert": True, "ssl_verify_identity": True}


def repeat_on_conflict(work):
    """Call `work()`, one whole transaction, until no other is in its way, CONFLICT_TRIES times at most."""
    for _ in range(CONFLICT_TRIES - 1):
        with suppress(Conflict):
            return work()
    return work()


def upserted(cursor):
    """How many rows the last INSERT … ON DUPLICATE KEY UPDATE inserted or changed: not those that it left as they were.

    MySQL's number counts an inserted row as 1 and a changed one as 2. How many were changed it tells in words, which
    PyMySQL keeps to itself; of a single row it has none.
    """
    changed = re.search(rb"Duplicates: (\d+)", cursor._result.message)
    return cursor.rowcount - int(changed[1]) if changed else min(cursor.rowcount, 1)


def translated(error):
    """The error of this module that a PyMySQL error stands for; any other error as it is."""
    if not isinstance(error, (pymysql.OperationalError, pymysql.InterfaceError, OSError)):
        return error
    code = error.args[0] if error.args else 0
    if code in (DEADLOCK, LOCK_WAIT_TIMEOUT, NOWAIT_REFUSED):
        return Conflict(str(error))
    if code in CHECK_VIOLATED:
        return error
    return DatabaseUnavailable(str(error))


def _parts(url):
    with suppress(ValueError):  # its own words would quote the password, where that holds a / or a #
        parts = urlsplit(url)
        if parts.scheme == "mysql" and parts.hostname and parts.port != 0 and parts.path.strip("/"):
            return parts
    form = "mysql://user:password@host:port/database"
    raise Misconfigured("A database URL", f"has the form {form}, special characters of a password as %XX")
