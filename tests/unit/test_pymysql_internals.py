"""The private parts of PyMySQL that the services rely on: an upgrade that renames one fails here."""

import inspect
import socket
import ssl
import threading
import time
from typing import Any

import pymysql
import pytest
from pymysql.connections import Connection, MySQLResult
from pymysql.protocol import MysqlPacket

from common.mysql import pymysql_internals


@pytest.fixture
def connection() -> "Connection[Any]":
    connection: Connection[Any] = Connection(host="127.0.0.1", read_timeout=10, defer_connect=True)
    connection._current_timeout = 10  # `connect` sets it
    return connection


def test_a_connection_is_idle_until_the_server_sends_something_or_ends_it(connection: "Connection[Any]") -> None:
    assert connection._sock is None
    ours, servers = socket.socketpair()
    with ours, servers:
        connection._sock = ours
        assert pymysql_internals.is_idle(connection)
        servers.send(b"the server's last error")
        assert not pymysql_internals.is_idle(connection)
        ours.recv(100)
        servers.shutdown(socket.SHUT_RDWR)
        assert not pymysql_internals.is_idle(connection)
        connection._sock = None


def test_a_closed_connection_is_not_idle(connection: "Connection[Any]") -> None:
    assert not pymysql_internals.is_idle(connection)


def test_the_kernel_limits_the_waits_of_a_connection_and_python_no_longer(connection: "Connection[Any]") -> None:
    ours, servers = socket.socketpair()
    with ours, servers:
        ours.settimeout(10)
        connection._sock = ours

        pymysql_internals.set_timeouts(connection, 0.05, 0.05)

        assert ours.gettimeout() is connection._current_timeout is None
        assert connection._read_timeout is connection._write_timeout is None
        with pytest.raises(BlockingIOError):
            ours.recv(1)
        with pytest.raises(BlockingIOError):
            ours.sendall(b"x" * 10_000_000)
        connection._sock = None


def test_a_connection_with_tls_keeps_the_timeouts_of_python(connection: "Connection[Any]") -> None:
    ours, servers = socket.socketpair()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    with servers, context.wrap_socket(ours, do_handshake_on_connect=False) as encrypted:
        encrypted.settimeout(10)
        connection._sock = encrypted

        pymysql_internals.set_timeouts(connection, 3, 7)

        assert (connection._read_timeout, connection._write_timeout) == (3, 7)
        assert connection._current_timeout == 10
        connection._sock = None


def test_a_closed_connection_needs_no_timeouts(connection: "Connection[Any]") -> None:
    pymysql_internals.set_timeouts(connection, 3, 7)

    assert connection._read_timeout == 10


def test_pymysql_still_takes_the_timeouts_from_the_connection_and_sets_only_changed_ones() -> None:
    for method, name in ((Connection._read_packet, "_read_timeout"), (Connection._write_bytes, "_write_timeout")):
        assert f"if self._current_timeout != self.{name}" in inspect.getsource(method)


def test_pymysql_still_reads_packets_from_a_file_and_counts_them() -> None:
    assert "self._rfile.read(" in inspect.getsource(Connection._read_bytes)
    assert "self._rfile.close()" in inspect.getsource(Connection._force_close)
    assert "packet_number != self._next_seq_id" in inspect.getsource(Connection._read_packet)


LONG, SHORT = pymysql.constants.FIELD_TYPE.LONGLONG, pymysql.constants.FIELD_TYPE.VAR_STRING


def result(kinds: list[int], *rows: list[bytes | None], more: bool = False, name: bytes = b"") -> bytes:
    """What a server sends for a SELECT."""
    columns = [
        b"\x03def\x00\x00\x00%c%b\x00\x0c\x2d\x00\xff\x00\x00\x00%c\x00\x00\x00\x00\x00" % (len(name), name, kind)
        for kind in kinds
    ]
    end = b"\xfe\x00\x00" + (b"\x0a\x00" if more else b"\x02\x00")
    values = [b"".join(b"\xfb" if each is None else _text(each) for each in row) for row in rows]
    packets = [bytes([len(kinds)]), *columns, end, *values, end]
    return b"".join(
        len(content).to_bytes(3, "little") + bytes([(number + 1) % 256]) + content
        for number, content in enumerate(packets)
    )


def _text(value: bytes) -> bytes:
    return bytes([len(value)]) + value if len(value) < 251 else b"\xfc" + len(value).to_bytes(2, "little") + value


def read(connection: "Connection[Any]", sent: bytes, piece: int = 100_000) -> tuple[tuple[Any, ...], ...]:
    """The rows of a result that arrives in pieces."""
    ours, servers = socket.socketpair()
    with ours, servers:
        connection._sock = ours
        connection._rfile = connection._rfile or pymysql_internals._Reader(ours)
        connection._rfile._socket, connection._next_seq_id = ours, 1

        def send() -> None:
            for begin in range(0, len(sent), piece):
                servers.sendall(sent[begin : begin + piece])
                time.sleep(0)

        sender = threading.Thread(target=send)
        sender.start()
        pymysql_internals.read_result(connection)
        sender.join()
        connection._sock = None
        return tuple(connection._result.rows)


def test_a_statement_with_other_columns_is_not_read_with_those_of_an_earlier_one(connection: "Connection[Any]") -> None:
    assert read(connection, result([LONG, SHORT], [b"1", b"2"])) == ((1, "2"),)
    assert read(connection, result([SHORT, LONG], [b"1", b"2"])) == (("1", 2),)
    assert read(connection, result([LONG], [b"3"])) == ((3,),)
    assert read(connection, result([LONG, SHORT], [b"4", b"5"], [None, b"x" * 300])) == ((4, "5"), (None, "x" * 300))
    assert len(connection._rfile.known_columns) == 3


@pytest.mark.parametrize("piece", [1, 3, 7, 50])
def test_a_result_may_arrive_in_pieces(connection: "Connection[Any]", piece: int) -> None:
    rows = [[b"%d" % number, b"y" * number] for number in range(300)]
    sent = result([LONG, SHORT], *rows)

    for _ in range(2):
        assert read(connection, sent, piece) == tuple((number, "y" * number) for number in range(300))


def test_only_the_columns_of_a_few_statements_are_kept(connection: "Connection[Any]") -> None:
    for number in range(40):
        assert read(connection, result([LONG], [b"1"], name=b"n%d" % number)) == ((1,),)

    assert len(connection._rfile.known_columns) == pymysql_internals.KNOWN_COLUMNS


def test_a_result_knows_whether_another_one_follows(connection: "Connection[Any]") -> None:
    for more in (True, False):
        read(connection, result([LONG], [b"1"], more=more))
        assert bool(connection._result.has_next) is more


def test_an_error_within_a_result_and_a_lost_connection_are_those_of_pymysql(connection: "Connection[Any]") -> None:
    complete = result([LONG], [b"1"])
    message = b"\xff\x18\x04#HY000too late"  # 1048
    error = len(message).to_bytes(3, "little") + b"\x04" + message
    columns = complete[: complete.index(b"\x02\x00\x00\x04")]

    with pytest.raises(pymysql.MySQLError) as refused:
        read(connection, columns + error)
    assert refused.value.args[0] == 1048
    connection._rfile = None
    with pytest.raises(pymysql.OperationalError) as lost:
        read_end(connection, columns)
    assert lost.value.args[0] == 2013


def read_end(connection: "Connection[Any]", sent: bytes) -> None:
    ours, servers = socket.socketpair()
    with ours, servers:
        connection._sock, connection._rfile, connection._next_seq_id = ours, pymysql_internals._Reader(ours), 1
        servers.sendall(sent)
        servers.shutdown(socket.SHUT_WR)
        pymysql_internals.read_result(connection)


@pytest.mark.parametrize(
    ("message", "rowcount", "rows"),
    [(b"Records: 5  Duplicates: 2  Warnings: 0", 6, 4), (b"", 2, 1), (b"", 1, 1), (None, 0, 0)],
    ids=["two of four rows changed", "a single row changed", "a single row inserted", "a single row left unchanged"],
)
def test_upserted_rows_come_from_the_message_of_the_result(
    connection: "Connection[Any]", message: bytes | None, rowcount: int, rows: int
) -> None:
    cursor = pymysql.cursors.Cursor(connection)
    assert cursor._result is None
    cursor._result, cursor.rowcount = MySQLResult(connection), rowcount
    assert cursor._result.message is None
    cursor._result.message = message

    assert pymysql_internals.upserted_rows(cursor) == rows


@pytest.mark.parametrize(
    ("owner", "name", "used_by"),
    [
        (Connection, "_read_query_result", Connection.query),
        (MySQLResult, "_get_descriptions", MySQLResult._read_result_packet),
        (MySQLResult, "_read_rowdata_packet", MySQLResult._read_result_packet),
        (Connection, "_read_bytes", Connection._read_packet),
        (Connection, "_read_packet", MySQLResult.read),
        (MysqlPacket, "_position", MysqlPacket.read_length_encoded_integer),
    ],
)
def test_pymysql_still_uses_what_a_result_without_descriptions_replaces_or_calls(
    owner: type, name: str, used_by: Any
) -> None:
    assert hasattr(owner, name)
    assert name in inspect.getsource(used_by)
