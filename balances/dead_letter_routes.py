"""GET /dead-letters: the parked records, read-only. The commands reprocess and discard them."""

import hashlib
import re
from typing import Any

from bottle import response

from common.events import dead_letter_summaries, dead_letters
from common.events.dead_letter_summaries import Summary
from common.events.dead_letters import DeadLetter
from common.http_request import BadRequest, after_and_limit
from common.json_api import JsonApp
from common.json_text import bytes_as_json, rfc3339
from common.mysql import Database

ID_DIGITS = 18  # as many digits as any 64-bit integer can have


def serve_dead_letters(app: JsonApp, database: Database) -> None:
    @app.get("/dead-letters")
    def get_dead_letters() -> dict[str, Any]:
        after, limit = after_and_limit()
        rows = database.read(dead_letter_summaries.list_before, _id("after", after or "9" * ID_DIGITS), limit)
        next_id = str(rows[-1].id) if len(rows) == limit else None
        response.set_header("Cache-Control", "no-store")
        return {"dead_letters": [_summary_body(row) for row in rows], "next": next_id}

    @app.get("/dead-letters/<dead_letter_id:id>")
    def get_dead_letter(dead_letter_id: str) -> dict[str, Any]:
        dead_letter = database.read(dead_letters.find, _id("the id", dead_letter_id))
        response.set_header("Cache-Control", "no-store")
        return _body(dead_letter)


def _id(name: str, text: str) -> int:
    if not re.fullmatch(rf"[0-9]{{1,{ID_DIGITS}}}", text):
        raise BadRequest(f"{name} must be a number of 1 to {ID_DIGITS} digits")
    return int(text)


def _summary_body(row: Summary) -> dict[str, Any]:
    return {
        "id": row.id,
        "state": "parked",
        "topic": row.topic,
        "partition": row.partition,
        "offset": row.offset,
        "reason": row.error,
        "parked_at": rfc3339(row.parked_at),
        "value_bytes": row.value_bytes,
        "complete": row.complete,
    }


def _body(dead_letter: DeadLetter) -> dict[str, Any]:
    """The record. A value that is too large to be stored is cut; size and SHA-256 are those of the complete one."""
    value, size, sha256 = dead_letter.value, dead_letter.value_bytes, dead_letter.value_sha256
    if dead_letter.is_complete and value is not None:
        size, sha256 = len(value), hashlib.sha256(value).hexdigest()
    return {
        "id": dead_letter.id,
        "state": dead_letter.state,
        "topic": dead_letter.topic,
        "partition": dead_letter.partition,
        "offset": dead_letter.offset,
        "reason": dead_letter.error,
        "parked_at": rfc3339(dead_letter.parked_at),
        "decided_at": rfc3339(dead_letter.settled_at) if dead_letter.settled_at else None,
        "value_bytes": size,
        "value_sha256": sha256,
        "complete": dead_letter.is_complete,
        "has_sequence": dead_letter.has_sequence,
        "timestamp_ms": dead_letter.timestamp,
        "key": bytes_as_json(dead_letter.key),
        "headers": [{"name": name, "value": bytes_as_json(text)} for name, text in dead_letter.headers],
        "value": bytes_as_json(value),
    }
