"""The tables of the toy pair: its own, and those of the event machinery from the migrations of the services."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common.mysql import Database

ROOT = Path(__file__).resolve().parents[2]
# The machinery's tables on each side, by the end of their migrations' names.
MACHINERY = {
    "orders": ("wallet", "*_outbox*.sql", "*_leases.sql", "*_known_server.sql", "*_idempotency_keys.sql"),
    "stock": ("balances", "*_consumer_offsets.sql", "*_dead_letters*.sql"),
}


def created(url: str, service: str) -> str:
    """Drop the tables that an earlier run left, create those of the service, and give the URL."""
    folder, *patterns = MACHINERY[service]
    migrations = sorted(path for pattern in patterns for path in (ROOT / "db" / folder / "migrations").glob(pattern))
    database = Database(url)
    with database.transaction() as cursor:
        for table in _tables(database):
            cursor.execute(f"DROP TABLE `{table}`")
        for migration in migrations:
            cursor.execute(migration.read_text(encoding="utf-8").partition("-- migrate:down")[0])
        cursor.execute((ROOT / "tests" / "toy" / f"{service}.sql").read_text(encoding="utf-8"))
    return url


def emptied(database: Database) -> Database:
    with database.transaction() as cursor:
        for table in _tables(database):
            cursor.execute(f"DELETE FROM `{table}`")
    return database


def rows(database: Database, statement: str, *parameters: Any) -> tuple[tuple[Any, ...], ...]:
    """All rows of a SELECT."""
    return database.read(lambda cursor: (cursor.execute(statement, parameters), tuple(cursor.fetchall()))[1])


def execute(database: Database, statement: str, *parameters: Any) -> int:
    """Run one statement in a transaction of its own; give the number of changed rows."""
    with database.transaction() as cursor:
        return cursor.execute(statement, parameters)


def statements(sql: str) -> list[str]:
    """The statements of a text, without the differences of white space."""
    return [re.sub(r"\s+", " ", each).strip() for each in sql.split(";") if each.strip()]


def _tables(database: Database) -> Sequence[str]:
    found = rows(database, "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()")
    return [table for (table,) in found]
