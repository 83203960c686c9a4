"""Reading the tables, and inserting what a test begins with."""

from datetime import datetime

NOW = datetime(2026, 11, 22, 11, 42, 20, 123456)  # when the rows of the fixture `bank` were created

WALLET = ("leases", "known_server", "outbox", "idempotency_keys", "transactions", "accounts", "clients")
BALANCES = ("balances", "consumer_offsets", "dead_letters")


def rows(database, statement, *parameters):
    """All rows of a SELECT."""

    def select(cursor):
        cursor.execute(statement, parameters)
        return cursor.fetchall()

    return database.read(select)


def value(database, statement, *parameters):
    """The one value of a SELECT."""
    ((only,),) = rows(database, statement, *parameters)
    return only


def execute(database, statement, *parameters):
    """Run one statement in a transaction; return how many rows it changed."""
    with database.transaction() as cursor:
        return cursor.execute(statement, parameters)


def emptied(database, tables):
    with database.transaction() as cursor:
        for table in tables:
            cursor.execute(f"DELETE FROM {table}")
    return database


def drop_all(database):
    """Drop every table that an earlier run has left, perhaps of other code."""
    with database.transaction() as cursor:
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()")
        tables = [table for (table,) in cursor.fetchall()]
        cursor.execute("SET FOREIGN_KEY_CHECKS = 0")
        for table in tables:
            cursor.execute(f"DROP TABLE `{table}`")
        cursor.execute("SET FOREIGN_KEY_CHECKS = 1")
