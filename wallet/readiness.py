"""Whether the wallet is ready, and what an operator wants to know of the way to Kafka."""

from datetime import UTC, datetime
from typing import Any

from common.events import known_server
from common.events.outbox import Outbox
from common.mysql import Cursor, Database, DatabaseUnavailable, read_clock
from common.runner import STUCK_SECONDS
from common.status import Status
from wallet.domain import ClocksDiffer, check_clock


def check(database: Database, status: Status) -> tuple[int, dict[str, Any]]:
    """(HTTP status, facts). 503 while MySQL does not answer, the relay's thread is stuck, or the clocks differ.

    Kafka unavailable is no reason: transfers are stored, and their events wait in the outbox.
    """
    relay = status.read()
    facts: dict[str, Any] = {
        "status": "ready",
        "mysql": "up",
        "kafka": relay.get("kafka", "unknown"),
        "relay": relay.get("relay", "starting"),
        "problems": relay.get("problems", []),
    }
    if "failing" in relay:
        facts["failing"] = relay["failing"]
    if status.age() > STUCK_SECONDS / 2:
        facts.update(status="not ready", relay="stuck")
    try:
        facts.update(database.read(_facts))
        check_clock(facts.pop("clock"), datetime.now(UTC).replace(tzinfo=None))
    except DatabaseUnavailable:
        facts.update(status="not ready", mysql="down")
    except ClocksDiffer as error:
        facts.update(status="not ready", failing=str(error))
    return (200 if facts["status"] == "ready" else 503), facts


def _facts(cursor: Cursor) -> dict[str, Any]:
    rows, seconds = Outbox(cursor).depth()
    return {
        "outbox_rows": rows,
        "outbox_oldest_seconds": seconds,
        "announce_required": known_server.changed(cursor),
        "clock": read_clock(cursor),
    }
