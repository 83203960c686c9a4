"""A database: a connection for each thread, transactions, and the log of an outage."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Concatenate, ParamSpec, TypeVar

import pymysql

from common.mysql import url as urls
from common.mysql.connection import STATEMENT_SECONDS, Connection, Cursor
from common.mysql.errors import READ_ONLY, DatabaseUnavailable, OutcomeUnknown, code_of, own_errors, translated
from common.mysql.pymysql_internals import is_idle
from common.mysql.servers import Servers

PROBE_SECONDS = 3  # for a short statement that shows whether the server answers
# After so long without a statement MySQL ends the session. A process that hangs in a transaction would keep its rows
# locked, and another consumer that takes over its partitions would wait for them. An idle connection is replaced at its
# next use, a little earlier than MySQL ends it.
WAIT_TIMEOUT_SECONDS, IDLE_SECONDS = 6, 5
# A connection used so recently is not checked before it is used: the check costs a system call, which passes the GIL to
# another thread.
TRUST_SECONDS = 0.1
LIFETIME_SECONDS = 30  # after a switch of servers nothing is read from the old one for longer

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger("mysql")


class Database:
    """The database that a URL names (see common.mysql.url). Of several servers the first that accepts writes is used.

    A method raises DatabaseUnavailable when no server can be reached or serve, and Conflict when another transaction
    was in the way.
    """

    def __init__(self, url: str, ssl_ca: str | None = None) -> None:
        parsed = urls.parse(url)
        self.name = parsed.database
        self._servers = Servers(parsed, ssl_ca)
        self._local = threading.local()
        self._reads, self._writes = _Outage("reading"), _Outage("writing")

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """Yield a cursor; commit on a clean exit, roll back and re-raise on any exception.

        Raises OutcomeUnknown, a DatabaseUnavailable, when the COMMIT may have taken effect. Never repeats a COMMIT.
        """
        connection = self._connection(self._writes)
        committing = False
        try:
            with connection.cursor() as cursor:
                cursor.queue("BEGIN")
                yield cursor
                committing = True
                cursor.execute("COMMIT")
            self._writes.end()
        except BaseException as error:
            own = translated(error)
            if isinstance(own, DatabaseUnavailable):
                self._writes.report(own)
                self._discard(connection)
                if committing and code_of(error) not in READ_ONLY:
                    own = OutcomeUnknown(str(error))
            else:
                self._roll_back(connection)
            if own is error:
                raise
            raise own from error

    def read(self, query: Callable[Concatenate[Cursor, P], T], *arguments: P.args, **named: P.kwargs) -> T:
        """Run `query(cursor, *arguments)`, which may only SELECT, outside any transaction."""
        return self._read(STATEMENT_SECONDS, lambda cursor: query(cursor, *arguments, **named))

    def probe(self, query: Callable[Concatenate[Cursor, P], T], *arguments: P.args, **named: P.kwargs) -> T:
        """As `read`, for short questions: a server that hangs counts as unavailable after PROBE_SECONDS."""
        return self._read(PROBE_SECONDS, lambda cursor: query(cursor, *arguments, **named))

    def _read(self, seconds: int, query: Callable[[Cursor], T]) -> T:
        connection = self._connection(self._reads)
        try:
            with connection.within(seconds), connection.cursor() as cursor:
                result = query(cursor)
            self._reads.end()
            return result
        except pymysql.MySQLError as error:
            own = translated(error)
            if isinstance(own, DatabaseUnavailable):
                self._reads.report(own)
                self._discard(connection)
            if own is error:
                raise
            raise own from error

    def connect(self) -> Connection:
        """A new connection, which the caller closes."""
        return self._servers.connect()

    def _connection(self, outage: "_Outage") -> Connection:
        """This thread's connection. One that MySQL has ended, or soon will, is replaced before it is used."""
        connection: Connection | None = getattr(self._local, "connection", None)
        now = time.monotonic()
        if connection is not None:
            idle = now - self._local.used_at
            if idle < IDLE_SECONDS and now < self._local.replace_at and (idle < TRUST_SECONDS or is_idle(connection)):
                self._local.used_at = now
                return connection
            self._discard(connection)
            connection = None
        try:
            self._local.connection = connection = self.connect()
            with own_errors(), connection.cursor() as cursor:
                cursor.execute("SET SESSION wait_timeout = %s", (WAIT_TIMEOUT_SECONDS,))
        except DatabaseUnavailable as error:
            outage.report(error)
            if connection is not None:
                self._discard(connection)
            raise
        self._local.used_at, self._local.replace_at = now, now + LIFETIME_SECONDS
        return connection

    def _roll_back(self, connection: Connection) -> None:
        try:
            connection.rollback()
        except (pymysql.MySQLError, OSError):  # the server has rolled a lost connection back
            self._discard(connection)

    def _discard(self, connection: Connection) -> None:
        self._local.connection = None
        connection.discard()


class _Outage:
    """Logs the first error of an outage, and its end. One line for each request would fill the log."""

    def __init__(self, work: str) -> None:
        self._work = work
        self._began_at: float | None = None

    def report(self, error: DatabaseUnavailable) -> None:
        if self._began_at is None:
            self._began_at = time.monotonic()
            log.warning("MySQL is unavailable", extra={"for": self._work, "reason": str(error)[:200]})

    def end(self) -> None:
        if (began_at := self._began_at) is not None:
            self._began_at = None
            log.info("MySQL answers again", extra={"for": self._work, "seconds": round(time.monotonic() - began_at, 1)})
