"""The index that a real server uses for a statement."""


class Explained:
    """A cursor that has the statements explained instead of run; `indexes` are those that they would use."""

    def __init__(self, cursor):
        self._cursor, self.indexes = cursor, set()

    def execute(self, statement, parameters=()):
        self._cursor.execute(f"EXPLAIN FORMAT=TRADITIONAL {statement}", parameters)
        key = [column[0] for column in self._cursor.description].index("key")
        self.indexes |= {row[key] for row in self._cursor.fetchall()}

    queue = execute

    def fetchall(self):
        return ()

    def fetchone(self):
        return None
