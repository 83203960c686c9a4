"""The private parts of PyMySQL that the services rely on: an upgrade that renames one fails here."""

import inspect
import socket
from typing import Any

import pymysql
import pytest
from pymysql.connections import Connection, MySQLResult

from common.mysql import pymysql_internals


@pytest.fixture
def connection() -> "Connection[Any]":
    return Connection(host="127.0.0.1", read_timeout=10, defer_connect=True)


def test_a_connection_has_pending_input_once_the_server_sends_or_ends_it(connection: "Connection[Any]") -> None:
    assert connection._sock is None
    ours, servers = socket.socketpair()
    with ours, servers:
        connection._sock = ours
        assert not pymysql_internals.has_pending_input(connection)
        servers.send(b"the server's last error")
        assert pymysql_internals.has_pending_input(connection)
        ours.recv(100)
        servers.shutdown(socket.SHUT_RDWR)
        assert pymysql_internals.has_pending_input(connection)
        connection._sock = None


def test_a_closed_connection_counts_as_one_with_pending_input(connection: "Connection[Any]") -> None:
    assert pymysql_internals.has_pending_input(connection)


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
