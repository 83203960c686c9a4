"""What common.mysql reads is what PyMySQL's own, slower, result reads."""

from contextlib import closing
from typing import Any

import pymysql
import pytest

from common.mysql import Cursor, Database
from common.mysql.url import parse

VALUES = {
    "NULL": "NULL",
    "integer": "CAST(-7 AS SIGNED)",
    "largest sequence": "CAST(18446744073709551615 AS UNSIGNED)",
    "exact decimal": "CAST(9999999999999.99 AS DECIMAL(15, 2))",
    "floating point": "1.5E0",
    "empty text": "''",
    "accents": "'Conceição 💰'",
    "longest text with a length of one byte": "REPEAT('é', 125)",
    "text with a length of two bytes": "REPEAT('x', 251)",
    "text with a length of three bytes": "REPEAT('x', 70000)",
    "binary": "CAST(X'00FF80' AS BINARY(3))",
    "time with microseconds": "CAST('2026-01-02 03:04:05.000007' AS DATETIME(6))",
    "time": "CAST('2026-01-02 03:04:05' AS DATETIME)",
    "date": "CAST('2026-01-02' AS DATE)",
    "JSON": "JSON_OBJECT('name', 'São')",
}


def select(cursor: Any, statement: str) -> Any:
    cursor.execute(statement)
    return cursor.fetchall()


@pytest.mark.parametrize("expression", VALUES.values(), ids=VALUES.keys())
def test_a_value_is_read_as_pymysql_reads_it(balances_database: Database, balances_url: str, expression: str) -> None:
    statement = f"SELECT {expression}, 'next column', NULL UNION ALL SELECT {expression}, 'next row', 1"
    url = parse(balances_url)
    ((host, port),) = url.addresses
    with closing(
        pymysql.connect(host=host, port=port, user=url.user, password=url.password, database=url.database)
    ) as connection:
        expected = select(connection.cursor(), statement)

    rows = balances_database.read(select, statement)

    assert rows == expected
    assert [type(value) for value in rows[0]] == [type(value) for value in expected[0]]


def test_an_error_between_two_rows_is_raised(balances_database: Database) -> None:
    def query(cursor: Cursor) -> None:
        cursor.execute("SELECT 1 UNION ALL SELECT (SELECT 1 UNION ALL SELECT 2)")

    with pytest.raises(pymysql.MySQLError, match="1242"):
        balances_database.read(query)
