"""A session of MySQL or MariaDB with all its settings, and its cursor."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pymysql
from pymysql.constants import CLIENT, FIELD_TYPE
from pymysql.converters import Decimal2Literal, conversions

from common.mysql import session
from common.mysql.errors import PACKET_TOO_LARGE
from common.mysql.pymysql_internals import read_result, read_timeout, set_read_timeout, upserted_rows
from common.mysql.url import Address

CONNECT_SECONDS = 3
STATEMENT_SECONDS = 10  # PyMySQL's default has no limit
HEADER_BYTES = 64  # of a packet, and more than enough
ROWS_AT_ONCE = 100  # written as SQL before they are sent

_MUST_BE_ESCAPED = re.compile("[\0\n\r\x1a'\"\\\\]").search

# The SQL of kinds for which PyMySQL is slow.
_LITERALS: dict[type, Callable[[Any], str]] = {
    int: str,
    Decimal: lambda number: str(Decimal2Literal(number, None)),
    datetime: lambda moment: f"'{moment if moment.tzinfo is None else moment.replace(tzinfo=None)}'",
}

if TYPE_CHECKING:
    _Connection = pymysql.connections.Connection["Cursor"]
else:  # generic in its stubs only
    _Connection = pymysql.connections.Connection


class Connection(_Connection):
    """A session at READ COMMITTED, in autocommit mode: a single SELECT needs neither BEGIN nor COMMIT."""

    packet_bytes = 1024 * 1024  # the largest packet that the server accepts
    packet_statements: int | None = None  # the most statements in one packet

    def __init__(self, address: Address, user: str, password: str, database: str, ssl_ca: str | None) -> None:
        super().__init__(
            host=address.host,
            port=address.port,
            user=user,
            password=password.encode(),  # PyMySQL would encode it as Latin-1, and dbmate and the server use UTF-8
            database=database,
            charset="utf8mb4",
            collation="utf8mb4_bin",
            autocommit=None,  # common.mysql.session sets it
            connect_timeout=CONNECT_SECONDS,
            # Until `prepare` is done: a server that hangs still accepts connections.
            read_timeout=CONNECT_SECONDS,
            write_timeout=STATEMENT_SECONDS,
            cursorclass=Cursor,
            client_flag=CLIENT.MULTI_STATEMENTS,
            conv={
                **conversions,
                FIELD_TYPE.DATETIME: datetime.fromisoformat,
                FIELD_TYPE.TIMESTAMP: datetime.fromisoformat,
            },
            **_encryption(ssl_ca),
        )
        self.address = address

    def escape(self, value: object, mapping: Any = None) -> str:
        """The value as SQL. PyMySQL finds the kind of a value in several steps: half of the time of a large upsert."""
        if type(value) is str and not _MUST_BE_ESCAPED(value):
            return f"'{value}'"
        write = _LITERALS.get(type(value))
        return write(value) if write else str(super().escape(value, mapping))

    def prepare(self) -> None:
        """Set the variables of the session, and read how large a packet may be and how many statements it may have."""
        with self.cursor() as cursor:
            for statement in session.statements():
                cursor.queue(statement)
            cursor.execute("SHOW SESSION VARIABLES WHERE Variable_name IN ('max_allowed_packet', 'wsrep_on')")
            variables = dict(cursor.fetchall())
        self.packet_bytes = int(variables["max_allowed_packet"])
        if variables.get("wsrep_on") == "ON":
            # A Galera node that rolls a transaction back between two statements of one packet reports no error. The
            # node runs the remaining statements without a transaction, and its COMMIT succeeds.
            self.packet_statements = 1
        set_read_timeout(self, STATEMENT_SECONDS)

    def _read_query_result(self, unbuffered: bool = False) -> int:
        return read_result(self)

    def within(self, seconds: int) -> AbstractContextManager[None]:
        """Inside the block the server has `seconds` to answer a statement, not STATEMENT_SECONDS."""
        return read_timeout(self, seconds)

    def accepts_writes(self) -> bool:
        """Whether the server accepts writes. Raises pymysql.MySQLError if it runs no transaction at all."""
        with self.cursor() as cursor:
            # A cluster's node that has no quorum or rejects queries still sets and shows variables. wsrep_ready covers
            # the first case only. Both refuse a transaction.
            cursor.queue("BEGIN")
            cursor.queue("ROLLBACK")
            cursor.execute(
                "SHOW GLOBAL VARIABLES WHERE Value NOT IN ('OFF', '0') AND Variable_name IN"
                " ('read_only', 'super_read_only', 'innodb_read_only', 'offline_mode')"
            )
            return cursor.fetchone() is None

    def discard(self) -> None:
        """Close the connection, whatever its state."""
        with suppress(pymysql.MySQLError, OSError):
            self.close()


class Cursor(pymysql.cursors.Cursor):
    """A cursor that may queue statements and send them with the next one: a round trip costs more than many statements.

    `upserted`: how many rows the last INSERT … ON DUPLICATE KEY UPDATE inserted or changed, without the unchanged ones.
    After `executemany` it counts all parts of the statement.
    """

    connection: Connection

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.upserted = 0
        self._queued: list[bytes] = []
        self._in_many = False
        # executemany splits below this: a part is sent in one packet together with what was queued.
        self.max_stmt_length = min(self.max_stmt_length, connection.packet_bytes // 2)  # type: ignore[misc]

    def queue(self, statement: str, parameters: Any = None) -> None:
        """Run the statement before the next one that is executed, COMMIT at the latest. Its error is raised there."""
        self._queued.append(self._as_bytes(self.mogrify(statement, parameters)))

    def flush(self) -> None:
        """Run what is queued now."""
        if self._queued:
            self.execute(self._queued.pop())

    def execute(self, query: str | bytes, args: Any = None) -> int:
        self.queue(query, args)  # type: ignore[arg-type]  # executemany passes bytes
        statements, self._queued = self._queued, []
        for packet in _packets(statements, self.connection.packet_bytes, self.connection.packet_statements):
            super().execute(b";\n".join(packet))  # type: ignore[call-overload]
            for _ in packet[1:]:  # MySQL stops at the first that fails, and so does this
                self.nextset()
        changed = upserted_rows(self)
        self.upserted = self.upserted + changed if self._in_many else changed
        return self.rowcount

    def executemany(self, query: str, args: Iterable[Any]) -> int | None:
        rows = list(args)
        if not rows:
            return None
        self.upserted, self._in_many = 0, True
        try:
            return super().executemany(query, self._written(rows))
        finally:
            self._in_many = False

    def _written(self, rows: Sequence[Any]) -> Iterator[tuple[str, ...]]:
        """The rows as SQL. Column by column: the kind of a column's values is then found once, not for each value.

        Some rows at a time: all of a large batch would fill the memory, and the server would end an idle session.
        """
        for start in range(0, len(rows), ROWS_AT_ONCE):
            columns = zip(*rows[start : start + ROWS_AT_ONCE], strict=True)
            yield from zip(*map(self._literals, columns), strict=True)

    def _literals(self, values: Sequence[Any]) -> list[str]:
        kinds = set(map(type, values))
        write = _LITERALS.get(kinds.pop()) if len(kinds) == 1 else None
        return list(map(write or self.connection.escape, values))

    def _mogrify(self, query: str, args: Any) -> str:
        # Private: executemany has written the values already.
        return query % args if self._in_many else str(super()._mogrify(query, args))  # type: ignore[misc]  # no stub

    def _as_bytes(self, query: str | bytes) -> bytes:
        """The statement as PyMySQL sends it. `executemany` passes bytes."""
        return query.encode(self.connection.encoding, "surrogateescape") if isinstance(query, str) else query


def _packets(statements: Sequence[bytes], limit: int, most: int | None = None) -> Iterator[list[bytes]]:
    """The statements, in their order, in as few packets as the server accepts."""
    packet: list[bytes] = []
    size = 0
    for statement in statements:
        if len(statement) + HEADER_BYTES > limit:
            raise pymysql.DataError(
                PACKET_TOO_LARGE, f"a statement of {len(statement)} bytes: max_allowed_packet is {limit}"
            )
        if packet and (len(packet) == most or size + len(statement) + HEADER_BYTES > limit):
            yield packet
            packet, size = [], 0
        packet.append(statement)
        size += len(statement) + 2
    yield packet


def _encryption(ssl_ca: str | None) -> dict[str, Any]:
    """Without a CA the network is trusted. PyMySQL would otherwise encrypt without verifying the server."""
    if not ssl_ca:
        return {"ssl_disabled": True}
    return {"ssl_ca": ssl_ca, "ssl_verify_cert": True, "ssl_verify_identity": True}
