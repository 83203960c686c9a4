"""MySQL for both services: a connection a thread, a transaction a `with` block."""

import logging
import random
import re
import select
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Concatenate, ParamSpec, TypeVar

import pymysql
from pymysql.constants import CLIENT

from common import mysql_session, mysql_url
from common.mysql_errors import (
    PACKET_TOO_LARGE,
    READ_ONLY,
    Conflict,
    DatabaseUnavailable,
    OutcomeUnknown,
    code_of,
    own_errors,
    translated,
)
from common.mysql_url import Address

CONNECT_SECONDS = 3
STATEMENT_SECONDS = 10  # PyMySQL's own default is to wait for ever
PROBE_SECONDS = 3  # for a short statement that shows whether the server answers
# After so long without a statement MySQL ends the session: a process that hangs in a transaction would keep its rows
# locked, and the partitions that another consumer takes over from it with them. An idle connection is replaced at its
# next use; a little earlier, so that MySQL does not end it just as it is used.
WAIT_TIMEOUT_SECONDS, IDLE_SECONDS = 6, 5
LIFETIME_SECONDS = 30  # after a switch of servers nobody reads from the old one for longer
CONFLICT_TRIES, CONFLICT_SECONDS = 20, 5
BACKOFF_SECONDS, BACKOFF_LIMIT_SECONDS = 0.002, 0.1

# Microseconds since 1970 by the database's clock.
CLOCK = "CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS UNSIGNED)"

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger("mysql")


class Database:
    """A database named by a URL (see common.mysql_url). Of several hosts the first that accepts writes is used."""

    def __init__(self, url: str, ssl_ca: str | None = None) -> None:
        parsed = mysql_url.parse(url)
        self.name = parsed.database
        self._addresses = parsed.addresses
        self._address = parsed.addresses[0]  # the last that accepted writes
        self._options = {
            "user": parsed.user,
            "password": parsed.password,
            "database": self.name,
            "charset": "utf8mb4",
            "collation": "utf8mb4_bin",
            "autocommit": None,  # common.mysql_session sets it
            "connect_timeout": CONNECT_SECONDS,
            "read_timeout": CONNECT_SECONDS,  # until `prepare` is done: a server that hangs still accepts connections
            "write_timeout": STATEMENT_SECONDS,
            "cursorclass": Cursor,
            "client_flag": CLIENT.MULTI_STATEMENTS,
            **_encryption(ssl_ca),
        }
        self._local = threading.local()
        self._reads, self._writes = _Outage("reading"), _Outage("writing")

    @contextmanager
    def transaction(self) -> Iterator["Cursor"]:
        """Give a cursor; commit on a clean exit, roll back and re-raise on any exception.

        Raises Conflict when another transaction was in the way, DatabaseUnavailable when the server cannot serve, and
        of these OutcomeUnknown when the COMMIT may have taken effect. Never repeats a COMMIT.
        """
        connection = self._connection(self._writes)
        committing = False
        try:
            with connection.cursor() as cursor:
                cursor.queue("BEGIN")
                yield cursor
                committing = True
                cursor.execute("COMMIT")
            self._writes.over()
        except BaseException as error:
            own = translated(error)
            if isinstance(own, DatabaseUnavailable):
                self._writes.report(own)
                self._forget(connection)
                if committing and code_of(error) not in READ_ONLY:
                    own = OutcomeUnknown(str(error))
            else:
                self._roll_back(connection)
            if own is error:
                raise
            raise own from error

    def read(self, query: Callable[Concatenate["Cursor", P], T], *arguments: P.args, **named: P.kwargs) -> T:
        """Run `query(cursor, *arguments)`, which may only SELECT, outside any transaction."""
        return self._read(STATEMENT_SECONDS, lambda cursor: query(cursor, *arguments, **named))

    def probe(self, query: Callable[Concatenate["Cursor", P], T], *arguments: P.args, **named: P.kwargs) -> T:
        """As `read`, for short questions: a server that hangs counts as unavailable after PROBE_SECONDS."""
        return self._read(PROBE_SECONDS, lambda cursor: query(cursor, *arguments, **named))

    def _read(self, seconds: int, query: Callable[["Cursor"], T]) -> T:
        connection = self._connection(self._reads)
        try:
            with connection.within(seconds), connection.cursor() as cursor:
                result = query(cursor)
            self._reads.over()
            return result
        except pymysql.MySQLError as error:
            own = translated(error)
            if isinstance(own, DatabaseUnavailable):
                self._reads.report(own)
                self._forget(connection)
            if own is error:
                raise
            raise own from error

    def connect(self) -> "Connection":
        """A new connection, the caller's to close. Raises DatabaseUnavailable when no server can be reached."""
        first = self._addresses.index(self._address)
        readable: Connection | None = None
        refusal: DatabaseUnavailable | None = None
        for address in (*self._addresses[first:], *self._addresses[:first]):
            try:
                connection, writable = self._connect_to(address)
            except (pymysql.MySQLError, OSError) as error:
                if refusal is None:
                    refusal = DatabaseUnavailable(str(error))
                    refusal.__cause__ = error
                continue
            if writable:
                self._use(address)
                if readable:
                    _close(readable)
                return connection
            if readable:
                _close(connection)
            readable = readable or connection
        if readable:
            return readable
        raise refusal or DatabaseUnavailable("no server is named")

    def _connect_to(self, address: Address) -> tuple["Connection", bool]:
        """A connection, and whether its server takes writes: of a single server it is not asked."""
        connection = Connection(host=address.host, port=address.port, **self._options)
        try:
            connection.prepare(address)
            return connection, len(self._addresses) == 1 or connection.accepts_writes()
        except BaseException:
            _close(connection)
            raise

    def _use(self, address: Address) -> None:
        if address != self._address:
            log.warning("another database server is used", extra={"address": str(address), "was": str(self._address)})
            self._address = address

    def _connection(self, outage: "_Outage") -> "Connection":
        """This thread's connection. One that MySQL has ended meanwhile, or soon will, is replaced before it is used."""
        connection, now = getattr(self._local, "connection", None), time.monotonic()
        if connection is not None:
            if now < self._local.idle_at and now < self._local.replace_at and _is_silent(connection):
                self._local.idle_at = now + IDLE_SECONDS
                return connection
            self._forget(connection)
            connection = None
        try:
            self._local.connection = connection = self.connect()
            with own_errors(), connection.cursor() as cursor:
                cursor.execute("SET SESSION wait_timeout = %s", (WAIT_TIMEOUT_SECONDS,))
        except DatabaseUnavailable as error:
            outage.report(error)
            if connection is not None:
                self._forget(connection)
            raise
        self._local.idle_at, self._local.replace_at = now + IDLE_SECONDS, now + LIFETIME_SECONDS
        return connection

    def _roll_back(self, connection: "Connection") -> None:
        try:
            connection.rollback()
        except (pymysql.MySQLError, OSError):  # a lost connection has rolled back by itself
            self._forget(connection)

    def _forget(self, connection: "Connection") -> None:
        self._local.connection = None
        _close(connection)


class _Outage:
    """Logs the first error of an outage, and its end: a request a second would fill the log with the same line."""

    def __init__(self, work: str) -> None:
        self._work = work
        self._began_at: float | None = None

    def report(self, error: DatabaseUnavailable) -> None:
        if self._began_at is None:
            self._began_at = time.monotonic()
            log.warning("MySQL is unavailable", extra={"for": self._work, "reason": str(error)[:200]})

    def over(self) -> None:
        if (began_at := self._began_at) is not None:
            self._began_at = None
            log.info("MySQL answers again", extra={"for": self._work, "seconds": round(time.monotonic() - began_at, 1)})


class Connection(pymysql.connections.Connection):  # type: ignore[type-arg]
    """A session with all its settings, READ COMMITTED, in autocommit mode: a lone SELECT needs neither BEGIN nor
    COMMIT."""

    packet_bytes = 1024 * 1024  # the largest packet that the server takes
    packet_statements: int | None = None  # how many statements one packet may hold
    address: Address

    def prepare(self, address: Address) -> None:
        self.address = address
        with self.cursor() as cursor:
            for statement in mysql_session.statements():
                cursor.queue(statement)
            cursor.execute("SHOW SESSION VARIABLES WHERE Variable_name IN ('max_allowed_packet', 'wsrep_on')")
            variables = dict(cursor.fetchall())
        self.packet_bytes = int(variables["max_allowed_packet"])
        if variables.get("wsrep_on") == "ON":
            # A Galera node that rolls a transaction back between two statements of one packet reports no error: it
            # runs the rest without a transaction, and its COMMIT succeeds.
            self.packet_statements = 1
        self._read_timeout = STATEMENT_SECONDS

    @contextmanager
    def within(self, seconds: int) -> Iterator[None]:
        """Inside the block the server has `seconds` to answer a statement, not STATEMENT_SECONDS."""
        self._read_timeout = seconds
        try:
            yield
        finally:
            self._read_timeout = STATEMENT_SECONDS

    def accepts_writes(self) -> bool:
        """Whether the server takes writes. Raises pymysql.MySQLError where it runs no transaction at all."""
        with self.cursor() as cursor:
            # A cluster's node that has no quorum or rejects queries still sets and shows variables. wsrep_ready tells
            # the first case alone; a transaction is refused in both.
            cursor.queue("BEGIN")
            cursor.queue("ROLLBACK")
            cursor.execute(
                "SHOW GLOBAL VARIABLES WHERE Value NOT IN ('OFF', '0') AND Variable_name IN"
                " ('read_only', 'super_read_only', 'innodb_read_only', 'offline_mode')"
            )
            return cursor.fetchone() is None


class Cursor(pymysql.cursors.Cursor):
    """A cursor that may queue statements, to be sent with the next one: a round trip costs more than many statements.

    `upserted`: how many rows the last INSERT … ON DUPLICATE KEY UPDATE (of `executemany`: all of its parts) inserted or
    changed, without those that it left as they were.
    """

    connection: Connection

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.upserted = 0
        self._queued: list[bytes] = []
        self._in_many = False
        # executemany splits below this: a part is sent in one packet together with what was queued.
        self.max_stmt_length = min(self.max_stmt_length, connection.packet_bytes // 2)

    def queue(self, statement: str, parameters: Any = None) -> None:
        """Run the statement before the next one that is executed, COMMIT at the latest. Its error is raised there."""
        self._queued.append(self._as_bytes(self.mogrify(statement, parameters)))

    def flush(self) -> None:
        """Run what is queued now."""
        if self._queued:
            self.execute(self._queued.pop())

    def execute(self, query: str | bytes, args: Any = None) -> int:
        self.queue(query, args)  # type: ignore[arg-type]  # executemany hands bytes over
        statements, self._queued = self._queued, []
        for packet in _packets(statements, self.connection.packet_bytes, self.connection.packet_statements):
            super().execute(b";\n".join(packet))  # type: ignore[arg-type]
            for _ in packet[1:]:  # MySQL stops at the first that fails, and so does this
                self.nextset()
        changed = _upserted(self)
        self.upserted = self.upserted + changed if self._in_many else changed
        return self.rowcount

    def executemany(self, query: str, args: Iterable[Any]) -> int | None:
        self.upserted, self._in_many = 0, True
        try:
            return super().executemany(query, args)
        finally:
            self._in_many = False

    def _as_bytes(self, query: str | bytes) -> bytes:  # as PyMySQL itself sends it, and as executemany hands it over
        return query.encode(self.connection.encoding, "surrogateescape") if isinstance(query, str) else query


def repeat_on_conflict(work: Callable[[], T], seconds: float = CONFLICT_SECONDS) -> T:
    """Call `work()`, one complete transaction, until no other is in its way.

    CONFLICT_TRIES times at most, and once at most after `seconds`: a conflict may be a lock wait that timed out.
    """
    pause, deadline = BACKOFF_SECONDS, time.monotonic() + seconds
    for _ in range(CONFLICT_TRIES - 1):
        with suppress(Conflict):
            return work()
        if time.monotonic() > deadline:
            break
        time.sleep(random.uniform(0, pause))  # two that met would otherwise meet again
        pause = min(2 * pause, BACKOFF_LIMIT_SECONDS)
    return work()


def read_clock(cursor: Cursor) -> int:
    """The database's clock, in microseconds since 1970."""
    cursor.execute(f"SELECT {CLOCK}")
    ((microseconds,),) = cursor.fetchall()
    return int(microseconds)


class DatabaseClock:
    """The database's clock without a round trip each time: read now and then, carried on by this process's clock."""

    REFRESH_SECONDS = 30

    def __init__(self, database: Database) -> None:
        self._database = database
        self._read_at: float | None = None
        self._ahead = 0.0  # microseconds, of the monotonic clock

    def __call__(self) -> int:
        """Microseconds since 1970. Raises DatabaseUnavailable before the first reading."""
        now = time.monotonic()
        if self._read_at is None or now - self._read_at > self.REFRESH_SECONDS:
            self._ahead = self._database.read(read_clock) - time.monotonic() * 1_000_000
            self._read_at = now
        return int(now * 1_000_000 + self._ahead)


def _packets(statements: Sequence[bytes], limit: int, most: int | None = None) -> Iterator[list[bytes]]:
    """The statements, in their order, in as few packets as the server takes."""
    packet: list[bytes] = []
    size = 0
    for statement in statements:
        if len(statement) + 64 > limit:
            raise pymysql.DataError(
                PACKET_TOO_LARGE, f"a statement of {len(statement)} bytes: max_allowed_packet is {limit}"
            )
        if packet and (len(packet) == most or size + len(statement) + 64 > limit):
            yield packet
            packet, size = [], 0
        packet.append(statement)
        size += len(statement) + 2
    yield packet


def _is_silent(connection: Connection) -> bool:
    """Whether nothing is to be read: between two statements that would be MySQL's last word, or the connection's end.

    This takes the place of a ping before each use, which would cost a round trip.
    """
    if (sock := connection._sock) is None:
        return False
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return not poll.poll(0)


def _upserted(cursor: Cursor) -> int:
    """MySQL's number counts an inserted row as 1 and a changed one as 2. How many were changed it says in words, which
    PyMySQL keeps to itself; of a single row it has none."""
    message = getattr(cursor._result, "message", b"") or b""
    changed = re.search(rb"Duplicates: (\d+)", message)
    return cursor.rowcount - int(changed[1]) if changed else min(cursor.rowcount, 1)


def _close(connection: Connection) -> None:
    with suppress(pymysql.MySQLError, OSError):
        connection.close()


def _encryption(ssl_ca: str | None) -> dict[str, Any]:
    """Without a CA the network is trusted; PyMySQL would otherwise encrypt without verifying anybody."""
    if not ssl_ca:
        return {"ssl_disabled": True}
    return {"ssl_ca": ssl_ca, "ssl_verify_cert": True, "ssl_verify_identity": True}
