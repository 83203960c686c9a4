"""Ask a real server which index a statement would use, whichever module holds that statement."""


class Explained:
    """A cursor that has the statements explained instead of run; `indexes` are those that they would use."""

    def __init__(self, cursor):
        self._cursor, self.indexes = cursor, set()

    def execute(self, statement, parameters=()):
        self._cursor.execute(f"EXPLAIN FORMAT=TRADITIONAL {statement}", parameters)
        # The column `key`: MySQL has `partitions` before it and 12 columns, MariaDB has 10.
        self.indexes |= {row[6 if len(row) == 12 else 5] for row in self._cursor.fetchall() if row[1] != "UNION RESULT"}

    queue = execute

    def fetchall(self):
        return ()

    def fetchone(self):
        return None
