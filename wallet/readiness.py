"""The facts of /ready: whether Wallet can do its job, and what an operator asks about the path to Kafka."""

from datetime import UTC, datetime
from typing import Any

from common.events import known_server
from common.events.outbox import Outbox
from common.mysql import Cursor, Database, DatabaseUnavailable, read_clock
from common.runner import STUCK_SECONDS
from common.worker_status import WorkerStatus
from wallet.domain import ClocksDiffer, check_clock


def check(database: Database, status: WorkerStatus) -> tuple[int, dict[str, Any]]:
    """The HTTP status and the facts. 503 if MySQL is unavailable, the relay's thread is stuck, or the clocks differ.

    Without Kafka the wallet is ready: transfers are stored, and their events wait in the outbox.
    """
    facts: dict[str, Any] = {"status": "ready", "mysql": "up", "kafka": "unknown", "relay": "starting", "problems": []}
    try:
        facts.update(database.probe(_facts))
        check_clock(facts.pop("clock"), datetime.now(UTC).replace(tzinfo=None))
    except DatabaseUnavailable:
        facts.update(status="not ready", mysql="down")
    except ClocksDiffer as error:
        facts.update(status="not ready", failing=str(error))
    relay = status.read()  # read after the probe, which may have waited for MySQL
    facts.update({name: relay[name] for name in ("kafka", "relay", "problems") if name in relay})
    if "failing" in relay:
        facts.setdefault("failing", relay["failing"])
    if status.age() > STUCK_SECONDS / 2:
        facts.update(status="not ready", relay="stuck")
    return (200 if facts["status"] == "ready" else 503), facts


def _facts(cursor: Cursor) -> dict[str, Any]:
    rows, seconds = Outbox(cursor).depth()
    return {
        "outbox_rows": rows,
        "outbox_oldest_seconds": seconds,
        "announce_required": known_server.changed(cursor),
        "clock": read_clock(cursor),
    }
