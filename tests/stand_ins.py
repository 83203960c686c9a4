"""Stand-ins for MySQL and Kafka, for tests that do not need their behaviour."""

import json
from contextlib import contextmanager
from types import SimpleNamespace

from kafka.errors import KafkaTimeoutError, MessageSizeTooLargeError

# The statements of the relay, word for word. A stand-in does not run SQL, so it must refuse any other statement. A
# DELETE of a range, for example, can have the same parameters as the DELETE of exact ids.
SELECT_OLDEST = (
    "SELECT id, topic, message_key, payload, sequence, event_id, request_id, created_at, traceparent,"
    " GREATEST(0, TIMESTAMPDIFF(MICROSECOND, created_at, UTC_TIMESTAMP(6))) FROM outbox ORDER BY id LIMIT %s"
)
DELETE_EXACT_IDS = (
    "DELETE outbox FROM JSON_TABLE(%s, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS acknowledged"
    " STRAIGHT_JOIN outbox ON outbox.id = acknowledged.id"
)


class OutboxConnection:
    """A connection to a database with only an outbox: rows as `Outbox.oldest` returns them.

    Raises NotImplementedError for each other statement, also for a DELETE that would be right in other words.
    """

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
        if statement == SELECT_OLDEST:
            self._result = self.oldest(*parameters)
        elif statement == DELETE_EXACT_IDS:
            self.delete(json.loads(*parameters))
        else:
            raise NotImplementedError(statement)

    def fetchall(self):
        return self._result

    def oldest(self, limit):
        return sorted(self.rows)[:limit]

    def delete(self, ids):
        self.deletes.append(ids)
        self.rows = [row for row in self.rows if row[0] not in ids]


class Producer:
    """Accepts what is sent except the numbers in `refusing`; those in `failing` are never acknowledged.

    `failures`: {number: the error that its future raises}.
    """

    def __init__(self, failing=(), on_get=lambda: None, too_large=(), refusing=(), failures=None):
        self.sent = []
        self.waits = []  # the seconds that each future was waited for
        self._failing = failing
        self._failures = {**dict.fromkeys(too_large, MessageSizeTooLargeError()), **(failures or {})}
        self._refusing = refusing
        self._on_get = on_get  # what other processes do during the wait for an acknowledgement

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
        return SimpleNamespace(topic=self.sent[number].topic, partition=0, offset=number)


def record(topic="balances", partition=0, offset=0, key=None, value=None, headers=(), timestamp=0, leader_epoch=3):
    """A record as the consumer gets it."""
    return SimpleNamespace(
        topic=topic,
        partition=partition,
        offset=offset,
        key=key,
        value=value,
        headers=headers,
        timestamp=timestamp,
        leader_epoch=leader_epoch,
    )
