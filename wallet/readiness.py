"""Whether the wallet is ready, and what an operator wants to know of the road to Kafka."""

from common.mysql import DatabaseUnavailable
from common.runner import STUCK_SECONDS
from wallet.repositories import Outbox


def look(database, status):
    """(HTTP status, facts): 503 while MySQL does not answer or the relay's thread is stuck. Kafka away is no fault."""
    relay = status.read()
    facts = {
        "status": "ready",
        "mysql": "up",
        "kafka": relay.get("kafka", "unknown"),
        "relay": relay.get("relay", "starting"),
    }
    if "failing" in relay:
        facts["failing"] = relay["failing"]
    if status.age() > STUCK_SECONDS / 2:
        facts.update(status="not ready", relay="stuck")
    try:
        rows, seconds = database.read(lambda cursor: Outbox(cursor).depth())
        facts.update(outbox_rows=rows, outbox_oldest_seconds=seconds)
    except DatabaseUnavailable:
        facts.update(status="not ready", mysql="down")
    return (200 if facts["status"] == "ready" else 503), facts
