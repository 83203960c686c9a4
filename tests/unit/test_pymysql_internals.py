"""The private API of PyMySQL that the services use: an upgrade that renames one fails here."""

import inspect
import socket
from typing import Any

import pymysql
import pytest
from pymysql.connections import Connection, MySQLResult
from pymysql.protocol import MysqlPacket

from common.mysql import pymysql_internals


@pytest.fixture
def connection() -> "Connection[Any]":
    return Connection(host="127.0.0.1", read_timeout=10, defer_connect=True)


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


def test_a_read_timeout_is_that_of_the_connection_and_ends_with_its_block(connection: "Connection[Any]") -> None:
    assert connection._read_timeout == 10

    with pymysql_internals.read_timeout(connection, 3):
        assert connection._read_timeout == 3

    assert connection._read_timeout == 10
    assert "_read_timeout" in inspect.getsource(Connection._read_packet)


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
        (MySQLResult, "_read_row_from_packet", MySQLResult._read_rowdata_packet),
        (Connection, "_read_packet", MySQLResult.read),
        (MysqlPacket, "_position", MysqlPacket.read_length_encoded_integer),
    ],
)
def test_pymysql_still_uses_what_a_result_without_descriptions_replaces_or_calls(
    owner: type, name: str, used_by: Any
) -> None:
    assert hasattr(owner, name)
    assert name in inspect.getsource(used_by)
