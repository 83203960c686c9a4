"""Messages that could not be applied: parked whole, with the reason, until a person has them retried or discarded."""

import json
from datetime import datetime
from typing import NamedTuple

from balances import projection
from balances.messages import parse

COUNTED = 10_000
# Of a key, a value or the headers: all that a record can have by Kafka's own default. A compressed one may unfold to
# any size, and MySQL would refuse the statement again and again.
KEPT_BYTES = 1_048_588
KEPT_DAYS = 30  # after they were delivered or discarded
FORGOTTEN_AT_ONCE = 100  # a letter may be a megabyte


class Letter(NamedTuple):
    """A parked record; what `parse` looks at is named as it is in a Kafka record."""

    id: int
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: list
    timestamp: int
    error: str
    state: str  # parked, delivered or discarded
    parked_at: datetime
    settled_at: datetime | None

    def orderable(self):
        """Whether it says where it stands among the others: the original's messages do not."""
        return "sequence" in dict(self.headers)


class LetterNotFound(Exception):
    def __init__(self, letter_id):
        super().__init__(f"there is no dead letter {letter_id}")


class AlreadyDelivered(Exception):
    def __init__(self, letter_id):
        super().__init__(f"dead letter {letter_id} was delivered already")


class NotOrderable(Exception):
    def __init__(self):
        super().__init__("it has no sequence, so what is known may be newer; --force applies it all the same")


def park(cursor, parked):
    """Keep (record, topic id, error) triples, each once however often it is parked."""
    cursor.executemany(
        "INSERT INTO dead_letters (topic_id, topic, partition_id, record_offset, record_key, record_value,"
        " record_headers, record_timestamp, error) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " ON DUPLICATE KEY UPDATE error = VALUES(error)",
        [
            (
                topic_id,
                record.topic,
                record.partition,
                record.offset,
                _kept(record.key),
                _kept(record.value),
                _as_text(record.headers),
                record.timestamp,
                str(error)[:1000],
            )
            for record, topic_id, error in parked
        ],
    )


def count(cursor):
    """How many wait for a decision, counted up to COUNTED."""
    cursor.execute(
        "SELECT COUNT(*) FROM (SELECT id FROM dead_letters WHERE state = 'parked' LIMIT %s) AS counted", (COUNTED,)
    )
    return cursor.fetchone()[0]


def page(cursor, after, limit):
    """At most `limit` parked Letters whose ids come after `after`, in id order, which is the order of their parking."""
    cursor.execute(
        f"SELECT {_COLUMNS} FROM dead_letters WHERE state = 'parked' AND id > %s ORDER BY id LIMIT %s", (after, limit)
    )
    return [_letter(row) for row in cursor.fetchall()]


def find(cursor, letter_id, hold=False):
    """The Letter, held until the transaction ends if asked to. Raises LetterNotFound."""
    cursor.execute(f"SELECT {_COLUMNS} FROM dead_letters WHERE id = %s{' FOR UPDATE' if hold else ''}", (letter_id,))
    if (row := cursor.fetchone()) is None:
        raise LetterNotFound(letter_id)
    return _letter(row)


def deliver(cursor, letter_id, force=False):
    """Apply the letter as the consumer would have; give [(account id, its Row before or None, its Row after)].

    Raises UnreadableMessage while it cannot be read, and NotOrderable if it has no sequence, unless `force` is given.
    """
    letter = find(cursor, letter_id, hold=True)
    if letter.state == "delivered":
        raise AlreadyDelivered(letter_id)
    balances = parse(letter)
    if not (letter.orderable() or force):
        raise NotOrderable
    account_ids = sorted({balance.account_id for balance in balances})
    before = [projection.find(cursor, account_id, hold=True) for account_id in account_ids]
    projection.apply(cursor, balances)
    after = [projection.find(cursor, account_id) for account_id in account_ids]
    _settle(cursor, letter_id, "delivered")
    return list(zip(account_ids, before, after, strict=True))


def discard(cursor, letter_id):
    """Decide that the letter is not to be delivered; until it is forgotten it still can be."""
    if find(cursor, letter_id, hold=True).state == "delivered":
        raise AlreadyDelivered(letter_id)
    _settle(cursor, letter_id, "discarded")


def forget_settled(cursor):
    """Delete at most FORGOTTEN_AT_ONCE letters that were delivered or discarded more than KEPT_DAYS ago."""
    cursor.execute(
        "DELETE FROM dead_letters WHERE state IN ('delivered', 'discarded')"
        " AND settled_at < UTC_TIMESTAMP(6) - INTERVAL %s DAY LIMIT %s",
        (KEPT_DAYS, FORGOTTEN_AT_ONCE),
    )


_COLUMNS = (
    "id, topic, partition_id, record_offset, record_key, record_value, record_headers, record_timestamp,"
    " error, state, parked_at, settled_at"
)


def _kept(value):
    """The bytes, or as many as are kept; those cut off never become readable by chance."""
    return value if value is None or len(value) <= KEPT_BYTES else value[:KEPT_BYTES] + b"... cut"


def _as_text(headers):
    """The headers as JSON, or none of them if they are too long; latin-1 gives each byte a character of its own."""
    if sum(len(name) + len(value or b"") for name, value in headers) > KEPT_BYTES:
        headers = []
    return json.dumps([(name, None if value is None else value.decode("latin-1")) for name, value in headers])


def _letter(row):
    letter = Letter(*row)
    headers = [(key, None if value is None else value.encode("latin-1")) for key, value in json.loads(letter.headers)]
    return letter._replace(headers=headers)


def _settle(cursor, letter_id, state):
    cursor.execute(
        "UPDATE dead_letters SET state = %s, settled_at = UTC_TIMESTAMP(6) WHERE id = %s", (state, letter_id)
    )
