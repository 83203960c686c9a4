"""The tables of the toy pair: its own, and those of the event machinery from the migrations of the services."""

from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

from common.mysql import Database

ROOT = Path(__file__).resolve().parents[2]
# The migrations of the machinery's tables on each side.
MACHINERY = {
    "orders": ("*_outbox*.sql", "*_leases.sql", "*_known_server.sql", "*_idempotency_keys.sql"),
    "stock": ("*_consumer_offsets*.sql", "*_dead_letters*.sql"),
}


def created(url: str, service: str) -> str:
    """Drop the tables that an earlier run left, create those of the service, and return the URL."""
    found = [path for pattern in MACHINERY[service] for path in (ROOT / "db").glob(f"*/migrations/{pattern}")]
    database = Database(url)
    with database.transaction() as cursor:
        for table in _tables(database):
            cursor.execute(f"DROP TABLE `{table}`")
        for migration in sorted(found, key=attrgetter("name")):
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
    """Run one statement in a transaction; return how many rows it changed."""
    with database.transaction() as cursor:
        return cursor.execute(statement, parameters)


def _tables(database: Database) -> Sequence[str]:
    found = rows(database, "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()")
    return [table for (table,) in found]
