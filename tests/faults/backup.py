"""A backup of the read model, and its restore."""

from contextlib import closing
from typing import Any

from tests.faults.system import System

Backup = dict[str, tuple[tuple[Any, ...], ...]]  # the rows of each table


def back_up_balances(system: System) -> Backup:
    """The read model and its offsets, as of one moment."""
    with closing(system.database("balances")) as connection, connection.cursor() as cursor:
        cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        return {table: _all_of(cursor, table) for table in ("consumer_offsets", "balances")}


def restore_balances(system: System, backup: Backup) -> None:
    with closing(system.database("balances")) as connection, connection.cursor() as cursor:
        connection.begin()
        for table, rows in backup.items():
            cursor.execute(f"DELETE FROM {table}")
            marks = ", ".join(["%s"] * len(rows[0]))
            cursor.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
        connection.commit()


def _all_of(cursor: Any, table: str) -> tuple[tuple[Any, ...], ...]:
    cursor.execute(f"SELECT * FROM {table}")
    return tuple(cursor.fetchall())
