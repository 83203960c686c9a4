"""What stands in for MySQL and Kafka where a test asks neither what they do."""

from contextlib import contextmanager
from types import SimpleNamespace

from kafka.errors import KafkaTimeoutError


class OutboxConnection:
    """A connection to a database with nothing but an outbox: rows as its `oldest` gives them."""

    def __init__(self, rows):
        self.rows = list(rows)
        self.deletes = []  # the ids of each DELETE

    @contextmanager
    def cursor(self):
        yield self

    def execute(self, statement, parameters=()):
        if statement.startswith("SELECT"):
            (limit,) = parameters
            self._result = sorted(self.rows)[:limit]
        elif statement.startswith("DELETE"):
            self.deletes.append(list(parameters))
            self.rows = [row for row in self.rows if row[0] not in parameters]
        else:
            raise AssertionError(f"not a statement of the outbox: {statement}")

    def fetchall(self):
        return self._result


class Producer:
    """Takes what is sent; the sends with a number in `failing` are never acknowledged."""

    def __init__(self, failing=()):
        self.sent = []
        self.waits = []  # the seconds that each future was waited for
        self._failing = failing

    def send(self, topic, value, key, headers):
        number = len(self.sent)
        self.sent.append(SimpleNamespace(topic=topic, value=value, key=key, headers=headers, timestamp=0))
        return SimpleNamespace(get=lambda timeout: self._get(number, timeout))

    def _get(self, number, timeout):
        self.waits.append(timeout)
        if number in self._failing:
            raise KafkaTimeoutError(f"message {number} was not acknowledged")
