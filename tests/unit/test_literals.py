"""Values become the same SQL as by PyMySQL, which is slower."""

import inspect
from datetime import UTC, date, datetime
from decimal import Decimal

import pymysql
import pytest

from common.mysql.connection import ROWS_AT_ONCE, Connection, Cursor


@pytest.fixture
def connection():
    """A connection that was never opened: it can only write values."""
    connection = Connection.__new__(Connection)
    pymysql.connections.Connection.__init__(connection, defer_connect=True)
    connection.server_status = 0
    return connection


@pytest.mark.parametrize(
    "value",
    [
        'it\'s \\ a "text" \n\0',
        "b0000000-0000-4000-8000-000000000001 ü %s",
        *"'\"\\\n\r\0\x1a",
        "",
        b"\x00'",
        None,
        True,
        -7,
        2**63,
        1.5,
        Decimal("-0.01"),
        Decimal("1E+3"),
        Decimal(0),
        date(2026, 1, 2),
        datetime(2026, 1, 2, 3, 4, 5),
        datetime(1, 1, 2, 3, 4, 5, 6),
        datetime(2026, 1, 2, 3, 4, 5, 999_999, tzinfo=UTC),
        ("a", 1),
    ],
    ids=repr,
)
def test_a_value_is_the_same_sql_as_by_pymysql(connection, value):
    assert connection.escape(value) == pymysql.connections.Connection.escape(connection, value)


class Sending(Cursor):
    """A cursor that keeps what it would send."""

    sent: bytes

    def execute(self, query, args=None):
        self.sent = bytes(query)
        return 1


STATEMENT = "INSERT INTO t (a, b, c, d) VALUES (%s, %s, %s, %s) ON DUPLICATE KEY UPDATE a = VALUES(a)"


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [("100%", 1, Decimal("1.50"), datetime(2026, 1, 2, 3, 4, 5))],
        [("a'b", 1, Decimal("1.50"), None), ("%s", None, Decimal("-2"), datetime(2026, 1, 2, tzinfo=UTC))],
        [("a", True, 1, b"\0"), ("b", 2, Decimal("1E+3"), "c"), ("c", 3, datetime(2026, 1, 2), None)],
    ],
    ids=["no rows", "one row", "a NULL", "values of several kinds"],
)
def test_many_rows_are_the_same_sql_as_by_pymysql(connection, rows):
    connection.encoding = "utf8"
    ours, theirs = Sending(connection), Sending(connection)
    ours.sent = theirs.sent = b""

    ours.executemany(STATEMENT, rows)
    pymysql.cursors.Cursor.executemany(theirs, STATEMENT, rows)

    assert ours.sent == theirs.sent


def test_pymysql_still_writes_each_row_with_the_method_that_is_replaced():
    assert "self._mogrify(values, " in inspect.getsource(pymysql.cursors.Cursor._do_execute_many)


def test_a_decimal_that_is_no_number_is_refused(connection):
    with pytest.raises(pymysql.ProgrammingError):
        connection.escape(Decimal("NaN"))


def test_the_first_of_many_rows_are_sent_before_the_last_are_written(connection):
    """Otherwise a large batch fills the memory, and the server ends the idle session."""
    written, written_when_sent = [], []

    class Row(tuple):
        def __iter__(self):
            written.append(self)
            return super().__iter__()

    class Noting(Cursor):
        max_stmt_length = 10_000

        def execute(self, query, args=None):
            written_when_sent.append(len(written))
            return 1

    connection.encoding = "utf8"
    Noting(connection).executemany("INSERT INTO t (a) VALUES (%s)", [Row(["x" * 1_000])] * 1_000)

    assert written_when_sent[0] <= ROWS_AT_ONCE < len(written)
