"""What the public API of PyMySQL cannot do.

Only this module and common.mysql.connection use the private API of PyMySQL. So an upgrade of PyMySQL can break only
these two. A unit test checks that each private name exists.
"""

import re
import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pymysql.connections import TEXT_TYPES, Connection, MySQLResult
from pymysql.constants import FIELD_TYPE
from pymysql.converters import through
from pymysql.cursors import Cursor

BINARY = b"\x3f\x00"  # the number of the character set "binary"
ONE_BYTE_LENGTH = 250  # a longer value has a longer length in front, NULL has none


def is_idle(connection: "Connection[Any]") -> bool:
    """Whether the connection is open and nothing can be read: neither the server's last error nor the connection's end.

    `ping` would cost a round trip before each use, and has no timeout of its own:
    https://github.com/PyMySQL/PyMySQL/issues/1169
    """
    private: Any = connection
    if (sock := private._sock) is None:
        return False
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return not poll.poll(0)


def set_read_timeout(connection: "Connection[Any]", seconds: float) -> None:
    """Limit how long the server may take to answer a statement. The public option is that of the complete connection.

    https://github.com/PyMySQL/PyMySQL/issues/250
    """
    private: Any = connection
    private._read_timeout = seconds


@contextmanager
def read_timeout(connection: "Connection[Any]", seconds: float) -> Iterator[None]:
    """Inside the block the server has `seconds` to answer a statement."""
    private: Any = connection
    before = private._read_timeout
    set_read_timeout(connection, seconds)
    try:
        yield
    finally:
        set_read_timeout(connection, before)


def upserted_rows(cursor: Cursor) -> int:
    """How many rows the cursor's INSERT … ON DUPLICATE KEY UPDATE inserted or changed.

    MySQL counts an inserted row as 1 and a changed row as 2. The number of changed rows is only in the message of the
    OK packet, which PyMySQL does not publish: https://github.com/PyMySQL/PyMySQL/issues/347
    A statement for a single row has no such message.
    """
    private: Any = cursor
    message = getattr(private._result, "message", b"") or b""
    changed = re.search(rb"Duplicates: (\d+)", message)
    return cursor.rowcount - int(changed[1]) if changed else min(cursor.rowcount, 1)


class Result(MySQLResult):
    """A result without column descriptions, which no statement of the services uses: `description` stays None.

    PyMySQL parses twelve fields of each column. That took half of the time of reading a row by its primary key:
    https://github.com/PyMySQL/PyMySQL/issues/297
    """

    def _get_descriptions(self) -> None:
        connection: Any = self.connection
        decoders, encoding = connection.decoders, connection.encoding
        self.converters: list[tuple[str | None, Callable[[str], Any] | None]] = []
        for _ in range(self.field_count):
            # The names have a length each; what follows them is fixed and is therefore read from the end.
            column = connection._read_packet().get_all_data()
            kind = column[-6]
            if kind == FIELD_TYPE.JSON:
                text = encoding
            elif kind in TEXT_TYPES:
                text = None if column[-12:-10] == BINARY else encoding
            else:
                text = "ascii"
            decode = decoders.get(kind)
            self.converters.append((text, None if decode is through else decode))
        connection._read_packet()  # the end of the columns

    def _read_row_from_packet(self, packet: Any) -> tuple[Any, ...]:
        data, position, row = packet.get_all_data(), 0, []
        for encoding, decode in self.converters:
            length = data[position]
            position += 1
            if length > ONE_BYTE_LENGTH:
                packet.rewind(position - 1)
                value = packet.read_length_coded_string()
                position = packet._position
            else:
                value = data[position : position + length]
                position += length
            if value is not None:
                if encoding is not None:
                    value = value.decode(encoding)
                if decode is not None:
                    value = decode(value)
            row.append(value)
        return tuple(row)


def read_result(connection: "Connection[Any]") -> int:
    """What Connection._read_query_result does, with a Result."""
    private: Any = connection
    private._result = None
    result = Result(connection)
    result.read()
    private._result = result
    if result.server_status is not None:
        private.server_status = result.server_status
    return result.affected_rows or 0
