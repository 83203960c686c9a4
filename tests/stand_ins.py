"""What stands in for MySQL and Kafka where a test asks neither what they do."""

import json
from contextlib import contextmanager
from types import SimpleNamespace

from kafka.errors import KafkaTimeoutError, MessageSizeTooLargeError

from balances import projection


class OutboxConnection:
    """A connection to a database with nothing but an outbox: rows as its `oldest` gives them."""

    def __init__(self, rows):
        self.rows = list(rows)
        self.deletes = []  # the ids of each DELETE

    @contextmanager
    def cursor(self):
        yield self

    @contextmanager
    def within(self, seconds):
        yield

    def execute(self, statement, parameters=()):
        if statement.startswith("SELECT"):
            (limit,) = parameters
            self._result = sorted(self.rows)[:limit]
        elif statement.startswith("DELETE"):
            ids = json.loads(*parameters)
            self.deletes.append(ids)
            self.rows = [row for row in self.rows if row[0] not in ids]
        else:
            raise AssertionError(f"not a statement of the outbox: {statement}")

    def fetchall(self):
        return self._result


class Producer:
    """Takes what is sent but the numbers in `refusing`; those in `failing` are never acknowledged.

    `failures`: {number: the error that its future raises}.
    """

    def __init__(self, failing=(), on_get=lambda: None, too_large=(), refusing=(), failures=None):
        self.sent = []
        self.waits = []  # the seconds that each future was waited for
        self._failing = failing
        self._failures = {**dict.fromkeys(too_large, MessageSizeTooLargeError()), **(failures or {})}
        self._refusing = refusing
        self._on_get = on_get  # what happens elsewhere while an acknowledgement is waited for

    def send(self, topic, value, key, headers):
        number = len(self.sent)
        if number in self._refusing:
            raise KafkaTimeoutError(f"no metadata for message {number}")
        self.sent.append(SimpleNamespace(topic=topic, value=value, key=key, headers=headers, timestamp=0))
        return SimpleNamespace(get=lambda timeout: self._get(number, timeout))

    def _get(self, number, timeout):
        self.waits.append(timeout)
        self._on_get()
        if number in self._failures:
            raise self._failures[number]
        if number in self._failing:
            raise KafkaTimeoutError(f"message {number} was not acknowledged")


class BalancesTable:
    """What the projection's three statements do to its table: {account id: (balance, sequence, updated at)}."""

    def __init__(self, rows=()):
        self.rows = dict(rows)
        self.statements = []  # (statement, rows), as they came

    def executemany(self, statement, rows):
        self.statements.append((statement, rows))
        self.upserted = len(rows)
        for account_id, balance, sequence, updated_at in rows:
            known = self.rows.get(account_id)
            if known is None or (statement is projection._NEWER and sequence > known[1]):
                self.rows[account_id] = (balance, sequence, updated_at)
            elif statement is projection._IN_ORDER:
                self.rows[account_id] = (balance, known[1], updated_at)


def record(topic="balances", partition=0, offset=0, key=None, value=None, headers=(), timestamp=0):
    """A record as the consumer reads it."""
    return SimpleNamespace(
        topic=topic, partition=partition, offset=offset, key=key, value=value, headers=headers, timestamp=timestamp
    )
