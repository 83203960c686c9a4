"""Ask a real server which index a statement would use, whichever module holds that statement."""


class Explained:
    """A cursor that has the statements explained instead of run; `indexes` are those that they would use."""

    def __init__(self, cursor):
        self._cursor, self.indexes = cursor, set()

    def execute(self, statement, parameters=()):
        self._cursor.execute(f"EXPLAIN FORMAT=TRADITIONAL {statement}", parameters)
        key, kind = map([column[0] for column in self._cursor.description].index, ("key", "select_type"))
        self.indexes |= {row[key] for row in self._cursor.fetchall() if row[kind] != "UNION RESULT"}

    queue = execute

    def fetchall(self):
        return ()

    def fetchone(self):
        return None
