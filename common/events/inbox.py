"""The inbox: ids of applied events, so that a projection that is not idempotent applies each event once.

Stored offsets apply each record once. A resend is another record of the same event: a sum, a counter or a list would
count the event twice. The inbox is written in the transaction that applies the events. Needs this table:

    CREATE TABLE IF NOT EXISTS inbox (
        event_id     VARCHAR(64) NOT NULL,
        batch        BINARY(16)  NOT NULL,
        processed_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
        PRIMARY KEY (event_id),
        KEY inbox_by_age (processed_at)
    ) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
"""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from uuid import uuid4

from common.events.dead_letters import UnreadableRecord
from common.mysql import Cursor

KEPT_DAYS = 30
IDS_AT_ONCE = 2_000  # in one statement: the smallest default of max_allowed_packet takes six times more
EXPIRED_MORE = 100  # deleted beyond the number that came: the table shrinks also where batches are small

E = TypeVar("E")

# MySQL pads with spaces before it compares: 'a' and 'a ' would be one id.
_EVENT_ID = re.compile(r"[!-~]{1,64}")


def event_id(record: Any) -> str:
    """The header `event_id` of a record. Raises UnreadableRecord where the header is absent or unusable.

    The consumer parks such a record, because no guess is safe. Applied without an id, a resend counts twice. With its
    place in the log as id, two events share one id after the log was truncated. An event whose value has an id of its
    own, such as an order number, needs no header: `parse` uses that id.
    """
    header = dict(record.headers).get("event_id")
    text = header.decode("latin-1") if header else ""
    if not _EVENT_ID.fullmatch(text):
        raise UnreadableRecord("the header event_id must have 1 to 64 visible ASCII characters")
    return text


def keep_new(cursor: Cursor, events: Sequence[E], id_of: Callable[[E], str], kept_days: int = KEPT_DAYS) -> list[E]:
    """The events that were never applied, in their order; of several with one id, the first.

    Runs in the transaction that applies what is kept, so the ids and the effect commit together. If a record carries
    several events, each needs an id of its own. The call waits for another open transaction with one of the ids, and
    raises Conflict after the lock timeout.

    Each call deletes some ids that are older than `kept_days`; an event that arrives again after that counts twice.
    Choose more than the topic's retention with its open segment, plus the longest outage of the relay. Where the
    producer's database may be restored, also choose more than the age of its oldest backup.
    """
    first: dict[str, E] = {}
    for event in events:
        first.setdefault(id_of(event), event)
    ids = sorted(first)  # in the order of the keys: two consumers of the same events cannot deadlock
    batch, new = uuid4().bytes, set[str]()
    for start in range(0, len(ids), IDS_AT_ONCE):
        part = ids[start : start + IDS_AT_ONCE]
        new |= _insert(cursor, part, batch)
        _forget_expired(cursor, len(part) + EXPIRED_MORE, kept_days)
    return [event for each, event in first.items() if each in new]


def _insert(cursor: Cursor, ids: Sequence[str], batch: bytes) -> set[str]:
    """Insert the ids that are absent, and return them."""
    # Not INSERT IGNORE, which would also ignore that an id is too long, cut it, and take it for another one.
    inserted = cursor.execute(
        f"INSERT INTO inbox (event_id, batch) VALUES {', '.join(['(%s, %s)'] * len(ids))}"
        " ON DUPLICATE KEY UPDATE event_id = inbox.event_id",
        [value for each in ids for value in (each, batch)],
    )
    if inserted == len(ids):
        return set(ids)
    # A SELECT before the INSERT would miss what another transaction commits in between: the batch names our own rows.
    cursor.execute(
        f"SELECT event_id FROM inbox WHERE event_id IN ({', '.join(['%s'] * len(ids))}) AND batch = %s", (*ids, batch)
    )
    return {each for (each,) in cursor.fetchall()}


def _forget_expired(cursor: Cursor, limit: int, kept_days: int) -> None:
    """Delete at most `limit` ids that are older than `kept_days`, without waiting for another that deletes too."""
    cursor.execute(
        "SELECT event_id FROM inbox WHERE processed_at < UTC_TIMESTAMP(6) - INTERVAL %s DAY"
        " ORDER BY processed_at LIMIT %s FOR UPDATE SKIP LOCKED",
        (kept_days, limit),
    )
    if expired := [each for (each,) in cursor.fetchall()]:
        # A join, as in Outbox.remove: MariaDB scans a small table for IN, and waits for rows of open transactions.
        cursor.execute(
            "DELETE inbox FROM JSON_TABLE(%s, '$[*]' COLUMNS (event_id VARCHAR(64) PATH '$')) AS expired"
            " STRAIGHT_JOIN inbox ON inbox.event_id = expired.event_id",
            (json.dumps(expired),),
        )
