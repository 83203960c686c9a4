"""Records that could not be applied: parked with the reason, until a person has them reprocessed or discarded.

Needs table `dead_letters`.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from common.mysql import Cursor

COUNTED = 10_000
# Of a key, a value or the headers: all that a record can have by Kafka's own default. A compressed record may
# decompress to any size.
KEPT_BYTES = 1_048_588
KEPT_DAYS = 30  # after they were reprocessed or discarded
FORGOTTEN_AT_ONCE = 100  # a dead letter may be a megabyte

T = TypeVar("T")


class UnreadableRecord(Exception):
    """A record that can never be applied as it is."""


class Parked(NamedTuple):
    """A record to be parked, with the id of its topic and the reason."""

    record: Any
    topic_id: str
    reason: str


class DeadLetter(NamedTuple):
    """A parked record; what a parser reads is named as it is in a Kafka record."""

    id: int
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    timestamp: int
    error: str
    state: str  # parked, reprocessed or discarded
    parked_at: datetime
    settled_at: datetime | None
    value_bytes: int | None  # the size of a value that was cut; None of one that is complete
    value_sha256: str | None

    def has_sequence(self) -> bool:
        return has_sequence(self.headers)


class DeadLetterNotFound(Exception):
    def __init__(self, dead_letter_id: int) -> None:
        super().__init__(f"there is no dead letter {dead_letter_id}")


class AlreadyReprocessed(Exception):
    def __init__(self, dead_letter_id: int) -> None:
        super().__init__(f"dead letter {dead_letter_id} was reprocessed already")


class NoSequence(Exception):
    def __init__(self) -> None:
        super().__init__("it has no sequence, so the projection may be newer; --force applies it all the same")


def has_sequence(headers: Sequence[tuple[str, bytes | None]]) -> bool:
    """Whether a record says where it belongs in the order of its key: Wallet Core (Go) does not. As `parse` reads
    it."""
    return dict(headers).get("sequence") is not None


def park(cursor: Cursor, parked: Sequence[Parked]) -> None:
    """Save the records, each once however often it is parked. What is too large for MySQL's packets is cut."""
    # Bytes travel as hexadecimal digits, and the JSON of the headers may be escaped: three eighths become six.
    kept = min(KEPT_BYTES, cursor.connection.packet_bytes // 8)
    cursor.executemany(
        "INSERT INTO dead_letters (topic_id, topic, partition_id, record_offset, record_key, record_value,"
        " record_headers, record_timestamp, error, value_bytes, value_sha256)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " ON DUPLICATE KEY UPDATE error = VALUES(error)",
        [
            (
                topic_id,
                record.topic,
                record.partition,
                record.offset,
                record.key and record.key[:kept],
                record.value and record.value[:kept],
                _as_text(record.headers, kept),
                record.timestamp,
                reason[:1000],
                *_size_and_hash(record.value, kept),
            )
            for record, topic_id, reason in parked
        ],
    )


def count(cursor: Cursor) -> int:
    """How many wait for a decision, counted up to COUNTED."""
    cursor.execute(
        "SELECT COUNT(*) FROM (SELECT id FROM dead_letters WHERE state = 'parked' LIMIT %s) AS counted", (COUNTED,)
    )
    ((number,),) = cursor.fetchall()
    return int(number)


def page(cursor: Cursor, after: int, limit: int) -> list[DeadLetter]:
    """At most `limit` parked ones whose ids come after `after`, in id order, which is the order of their parking."""
    cursor.execute(
        f"SELECT {_COLUMNS} FROM dead_letters WHERE state = 'parked' AND id > %s ORDER BY id LIMIT %s", (after, limit)
    )
    return [_dead_letter(row) for row in cursor.fetchall()]


def find(cursor: Cursor, dead_letter_id: int, for_update: bool = False) -> DeadLetter:
    """The dead letter, locked until the transaction ends if asked to. Raises DeadLetterNotFound."""
    lock = " FOR UPDATE" if for_update else ""
    cursor.execute(f"SELECT {_COLUMNS} FROM dead_letters WHERE id = %s{lock}", (dead_letter_id,))
    if (row := cursor.fetchone()) is None:
        raise DeadLetterNotFound(dead_letter_id)
    return _dead_letter(row)


def reprocess(
    cursor: Cursor,
    dead_letter_id: int,
    parse: Callable[[DeadLetter], Sequence[T]],
    apply: Callable[[Cursor, Sequence[T]], Any],
    force: bool = False,
) -> None:
    """Apply the record as the consumer would have.

    Raises DeadLetterNotFound, AlreadyReprocessed, UnreadableRecord while it cannot be read, and NoSequence if it has no
    sequence, unless `force` is given.
    """
    dead_letter = find(cursor, dead_letter_id, for_update=True)
    if dead_letter.state == "reprocessed":
        raise AlreadyReprocessed(dead_letter_id)
    events = parse(whole(dead_letter))
    if not (dead_letter.has_sequence() or force):
        raise NoSequence
    apply(cursor, events)
    _settle(cursor, dead_letter_id, "reprocessed")


def whole(dead_letter: DeadLetter) -> DeadLetter:
    """The dead letter itself. Raises UnreadableRecord where only a cut of its value is left."""
    if dead_letter.value_bytes is not None:
        raise UnreadableRecord(
            f"its value of {dead_letter.value_bytes} bytes was cut when it was parked: read it from the topic"
        )
    return dead_letter


def discard(cursor: Cursor, dead_letter_id: int) -> None:
    """Decide that the record is not to be applied; until it is forgotten it still can be."""
    if find(cursor, dead_letter_id, for_update=True).state == "reprocessed":
        raise AlreadyReprocessed(dead_letter_id)
    _settle(cursor, dead_letter_id, "discarded")


def forget_settled(cursor: Cursor) -> None:
    """Delete at most FORGOTTEN_AT_ONCE that were reprocessed or discarded more than KEPT_DAYS ago."""
    cursor.execute(
        "DELETE FROM dead_letters WHERE state IN ('delivered', 'reprocessed', 'discarded')"
        " AND settled_at < UTC_TIMESTAMP(6) - INTERVAL %s DAY LIMIT %s",
        (KEPT_DAYS, FORGOTTEN_AT_ONCE),
    )


# 'delivered' is what an earlier version wrote for 'reprocessed'.
_COLUMNS = (
    "id, topic, partition_id, record_offset, record_key, record_value, record_headers, record_timestamp,"
    " error, IF(state = 'delivered', 'reprocessed', state), parked_at, settled_at, value_bytes, value_sha256"
)


def _size_and_hash(value: bytes | None, kept: int) -> tuple[int | None, str | None]:
    if value is None or len(value) <= kept:
        return None, None
    return len(value), hashlib.sha256(value).hexdigest()


def _as_text(headers: Sequence[tuple[str, bytes | None]], kept: int) -> str:
    """The headers as JSON, or none of them if they are too long; latin-1 gives each byte a character of its own."""
    text = json.dumps([(name, None if value is None else value.decode("latin-1")) for name, value in headers])
    return text if len(text) <= kept else "[]"


def _dead_letter(row: Sequence[Any]) -> DeadLetter:
    headers = [(name, None if text is None else text.encode("latin-1")) for name, text in json.loads(row[6])]
    return DeadLetter(*row[:6], headers, *row[7:])


def _settle(cursor: Cursor, dead_letter_id: int, state: str) -> None:
    cursor.execute(
        "UPDATE dead_letters SET state = %s, settled_at = UTC_TIMESTAMP(6) WHERE id = %s", (state, dead_letter_id)
    )
