"""Values become the same SQL as by PyMySQL, which is slower."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pymysql
import pytest

from common.mysql.connection import Connection


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


def test_a_decimal_that_is_no_number_is_refused(connection):
    with pytest.raises(pymysql.ProgrammingError):
        connection.escape(Decimal("NaN"))
