"""All that touches private parts of PyMySQL: what its public interface cannot do. A unit test checks that each exists.

An upgrade of the library breaks this module and no other.
"""

import re
import select
import struct
from collections.abc import Callable
from typing import Any

from pymysql.connections import TEXT_TYPES, Connection, MySQLResult
from pymysql.constants import FIELD_TYPE, SERVER_STATUS
from pymysql.converters import through
from pymysql.cursors import Cursor
from pymysql.protocol import MysqlPacket

from common.mysql.packets import Packets, limit_waits

BINARY = b"\x3f\x00"  # the number of the character set "binary"
ONE_BYTE_LENGTH = 250  # a longer value has a longer length in front, NULL has none
END_OF_DATA, END_BYTES = 0xFE, 9  # the first byte of the packet that ends columns or rows, and its size at most
KNOWN_COLUMNS = 16  # of a connection: a thread runs few different statements

_Converters = list[tuple[str | None, Callable[[str], Any] | None]]


class _Reader(Packets):
    """The packets of a connection, and the columns of the results that it had: (their bytes, converters)."""

    def __init__(self, sock: Any) -> None:
        super().__init__(sock)
        self.known_columns: list[tuple[bytes, _Converters]] = []


def read_packets(connection: "Connection[Any]") -> None:
    """Read with `Packets` from now on, in place of a file with two layers of Python for each read."""
    private: Any = connection
    private._rfile.close()
    private._rfile = _Reader(private._sock)


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


def set_timeouts(connection: "Connection[Any]", read_seconds: float, write_seconds: float) -> None:
    """Limit how long the server may take to answer a statement, and to take one.

    The public options are those of the complete connection: https://github.com/PyMySQL/PyMySQL/issues/250
    """
    private: Any = connection
    if private._sock is not None:
        in_kernel = limit_waits(private._sock, read_seconds, write_seconds)
        private._read_timeout, private._write_timeout = (None, None) if in_kernel else (read_seconds, write_seconds)
        private._current_timeout = private._sock.gettimeout()


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
    A statement that runs again has the same columns, byte for byte: nothing is parsed then.
    """

    converters: _Converters

    def _get_descriptions(self) -> None:
        connection: Any = self.connection
        reader: _Reader = connection._rfile
        for columns, converters in reader.known_columns:
            if reader.skip(columns):
                self.converters = converters
                connection._next_seq_id = (connection._next_seq_id + self.field_count + 1) % 256
                return
        mark = reader.mark()
        self.converters = [_converter(connection, _content(connection)) for _ in range(self.field_count)]
        _content(connection)  # the end of the columns
        if (parsed := reader.since(mark)) and len(reader.known_columns) < KNOWN_COLUMNS:
            reader.known_columns.append((parsed, self.converters))

    def _read_rowdata_packet(self) -> None:
        connection, rows = self.connection, []
        content = _content(connection)
        while content[0] != END_OF_DATA or len(content) >= END_BYTES:
            rows.append(self._row(content))
            content = _content(connection)
        self.warning_count, status = struct.unpack_from("<HH", content, 1)
        self.has_next = status & SERVER_STATUS.SERVER_MORE_RESULTS_EXISTS
        self.affected_rows, self.rows = len(rows), tuple(rows)

    def _row(self, data: bytes) -> tuple[Any, ...]:
        position, row = 0, []
        for encoding, decode in self.converters:
            length = data[position]
            position += 1
            if length > ONE_BYTE_LENGTH:
                packet: Any = MysqlPacket(data, "")
                packet.advance(position - 1)
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


def _content(connection: Any) -> bytes:
    """The content of the next packet. What is not simple is PyMySQL's: a long packet, an error, a wrong number."""
    content: bytes | None = connection._rfile.next(connection._next_seq_id)
    if content is None:
        content = connection._read_packet().get_all_data()
    else:
        connection._next_seq_id = (connection._next_seq_id + 1) % 256
    return content


def _converter(connection: Any, column: bytes) -> tuple[str | None, Callable[[str], Any] | None]:
    """The encoding of a column's values, and what then converts their text."""
    # The names have a length each; what follows them is fixed and is therefore read from the end.
    kind = column[-6]
    encoding: str | None = "ascii"
    if kind == FIELD_TYPE.JSON:
        encoding = connection.encoding
    elif kind in TEXT_TYPES:
        encoding = None if column[-12:-10] == BINARY else connection.encoding
    decode = connection.decoders.get(kind)
    return encoding, None if decode is through else decode


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
