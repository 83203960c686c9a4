"""The facts of /ready: whether Balances can do its job, and how current its balances are."""

import time
from typing import Any

from common.events import dead_letters, offsets
from common.mysql import Cursor, Database, DatabaseUnavailable
from common.runner import STUCK_SECONDS
from common.worker_status import WorkerStatus


def check(database: Database, status: WorkerStatus) -> tuple[int, dict[str, Any]]:
    """The HTTP status and the facts. 503 if MySQL is unavailable, or the consumer is stuck or has had no position.

    A position counts until the service ends, also after a restart of the consumer. Balances then remains ready without
    Kafka: it serves the stored balances, and the facts give their age.
    """
    known = status.read()
    facts: dict[str, Any] = {
        "status": "ready",
        "mysql": "up",
        "kafka": known.get("kafka", "unknown"),
        "consumer": known.get("consumer", "starting"),
        "lag": known.get("lag", 0),
        "caught_up_seconds": _ago(known.get("caught_up_at")),
        "last_event_seconds": _ago(known.get("last_event_at")),
        "stalled": known.get("stalled", 0),
        "partitions_total": known.get("partitions_total", 0),
        "partitions_consumed": known.get("partitions_consumed", 0),
        "partitions": known.get("partitions", []),
        "problems": known.get("problems", []),
    }
    if "failing" in known:
        facts["failing"] = known["failing"]
    if known.get("mysql") == "read_only":
        facts["mysql"] = "read_only"
    if not known.get("positioned"):
        facts["status"] = "not ready"
    if status.age() > STUCK_SECONDS / 2:
        facts.update(status="not ready", consumer="stuck")
    try:
        parked, announce_required = database.probe(read)
        facts.update(parked=parked, announce_required=announce_required)
    except DatabaseUnavailable:
        facts.update(status="not ready", mysql="down")
    return (200 if facts["status"] == "ready" else 503), facts


def read(cursor: Cursor) -> tuple[int, bool]:
    """The number of parked records, and whether an announcement is required."""
    return dead_letters.count(cursor), offsets.announce_required(cursor)


def _ago(moment: float | None) -> float | None:
    return round(max(0.0, time.time() - moment), 3) if moment else None
