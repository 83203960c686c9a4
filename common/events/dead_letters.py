"""Records that could not be applied: parked with the reason, until a person reprocesses or discards them.

A record is stored complete where the server takes it in one packet. Of a larger one the table holds its place in
Kafka, the size and the SHA-256 of its value, and its first bytes. Needs table `dead_letters`.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from common.mysql import Cursor

COUNTED = 10_000
# Of key, value and headers together: the largest record by Kafka's own default. A compressed one can have any size.
COMPLETE_BYTES = 1_048_588
CUT_BYTES = 64 * 1024  # what is kept of a larger one
OTHER_BYTES = 16 * 1024  # of the statement: its text and the reason
KEPT_DAYS = 30  # after they were reprocessed or discarded
FORGOTTEN_AT_ONCE = 100  # one may have a megabyte

Headers = Sequence[tuple[str, bytes | None]]

T = TypeVar("T")


class UnreadableRecord(Exception):
    """A record that can never be applied as it is."""


class Parked(NamedTuple):
    """A record to be parked, with the id of its topic and the reason."""

    record: Any
    topic_id: str
    reason: str


class DeadLetter(NamedTuple):
    """A parked record. The fields that a parser reads have the names of a Kafka record's."""

    id: int
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp: int | None
    error: str
    state: str  # parked, reprocessed or discarded
    parked_at: datetime
    settled_at: datetime | None
    value_bytes: int | None  # of the value in Kafka; None: all of the record is stored
    value_sha256: str | None

    @property
    def has_sequence(self) -> bool:
        return sequence_header(dict(self.headers)) is not None

    @property
    def is_complete(self) -> bool:
        return self.value_bytes is None

    @property
    def place(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"


class DeadLetterNotFound(Exception):
    def __init__(self, dead_letter_id: int) -> None:
        super().__init__(f"there is no dead letter {dead_letter_id}")


class AlreadyReprocessed(Exception):
    def __init__(self, dead_letter_id: int) -> None:
        super().__init__(f"dead letter {dead_letter_id} was reprocessed already")


class NoSequence(Exception):
    def __init__(self) -> None:
        super().__init__(
            "the record has no sequence, so the projection may be newer; --force applies the record all the same"
        )


class Incomplete(Exception):
    def __init__(self, dead_letter: DeadLetter) -> None:
        super().__init__(
            f"the record was too large to be stored completely (its value has {dead_letter.value_bytes} bytes);"
            f" read {dead_letter.place} from Kafka"
        )


def sequence_header(headers: Mapping[str, bytes | None]) -> bytes | None:
    """The bytes of the header `sequence`, or None for a record without a sequence.

    A header whose value is null is the same as none. Names are case-sensitive, as in Kafka. Of several headers with
    one name the last counts, as Kafka's own `lastHeader` has it: so does `dict(record.headers)`.
    """
    return headers.get("sequence")


def park(cursor: Cursor, parked: Sequence[Parked]) -> None:
    """Store the records, each once however often it is parked."""
    cursor.executemany(
        "INSERT INTO dead_letters (topic_id, topic, partition_id, record_offset, record_key, record_value,"
        " record_headers, value_bytes, value_sha256, record_timestamp, error)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " ON DUPLICATE KEY UPDATE error = VALUES(error)",
        [
            (
                topic_id,
                record.topic,
                record.partition,
                record.offset,
                *_stored(record, cursor.connection.packet_bytes),
                record.timestamp,
                reason[:1000],
            )
            for record, topic_id, reason in parked
        ],
    )


def count(cursor: Cursor) -> int:
    """The number of parked records, counted up to COUNTED."""
    cursor.execute(
        "SELECT COUNT(*) FROM (SELECT id FROM dead_letters WHERE state = 'parked' LIMIT %s) AS counted", (COUNTED,)
    )
    ((number,),) = cursor.fetchall()
    return int(number)


def list_after(cursor: Cursor, after: int, limit: int) -> list[DeadLetter]:
    """At most `limit` parked records with an id higher than `after`, in id order, which is the order of parking."""
    cursor.execute(
        f"SELECT {_COLUMNS} FROM dead_letters WHERE state = 'parked' AND id > %s ORDER BY id LIMIT %s", (after, limit)
    )
    return [_dead_letter(row) for row in cursor.fetchall()]


def find(cursor: Cursor, dead_letter_id: int, for_update: bool = False) -> DeadLetter:
    """The dead letter; `for_update` locks it until the transaction ends. Raises DeadLetterNotFound."""
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

    Raises DeadLetterNotFound, AlreadyReprocessed, Incomplete, UnreadableRecord while it cannot be read, and NoSequence
    if it has none, unless `force` is given.
    """
    dead_letter = find(cursor, dead_letter_id, for_update=True)
    if dead_letter.state == "reprocessed":
        raise AlreadyReprocessed(dead_letter_id)
    if not dead_letter.is_complete:
        raise Incomplete(dead_letter)
    events = parse(dead_letter)
    if not (dead_letter.has_sequence or force):
        raise NoSequence
    apply(cursor, events)
    _decide(cursor, dead_letter_id, "reprocessed")


def discard(cursor: Cursor, dead_letter_id: int) -> None:
    """Mark the record as discarded; for KEPT_DAYS it can still be reprocessed.

    Raises DeadLetterNotFound and AlreadyReprocessed.
    """
    if find(cursor, dead_letter_id, for_update=True).state == "reprocessed":
        raise AlreadyReprocessed(dead_letter_id)
    _decide(cursor, dead_letter_id, "discarded")


def forget_decided(cursor: Cursor) -> None:
    """Delete at most FORGOTTEN_AT_ONCE records that were reprocessed or discarded more than KEPT_DAYS ago."""
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


def _stored(record: Any, packet_bytes: int) -> tuple[bytes | None, bytes | None, str, int | None, str | None]:
    """(key, value, headers as JSON, size, SHA-256): the last two of the value, None if the record is stored complete.

    Each byte takes up to two in a statement: as hexadecimal digits, or escaped.
    """
    key, value, headers = record.key, record.value, _as_text(record.headers)
    limit = min(COMPLETE_BYTES, max(0, packet_bytes - OTHER_BYTES) // 2)
    if len(key or b"") + len(value or b"") + len(headers) <= limit:
        return key, value, headers, None, None
    cut = min(CUT_BYTES, limit)
    kept_headers = headers if len(headers) <= cut // 4 else "[]"
    sha256 = hashlib.sha256(value or b"").hexdigest()
    return key and key[: cut // 4], value and value[: cut // 2], kept_headers, len(value or b""), sha256


def _as_text(headers: Headers) -> str:
    """The headers as JSON; latin-1 gives each byte a character of its own."""
    return json.dumps([(name, None if value is None else value.decode("latin-1")) for name, value in headers])


def _dead_letter(row: Sequence[Any]) -> DeadLetter:
    headers = [(name, None if text is None else text.encode("latin-1")) for name, text in json.loads(row[6])]
    return DeadLetter(*row)._replace(headers=headers)


def _decide(cursor: Cursor, dead_letter_id: int, state: str) -> None:
    cursor.execute(
        "UPDATE dead_letters SET state = %s, settled_at = UTC_TIMESTAMP(6) WHERE id = %s", (state, dead_letter_id)
    )
