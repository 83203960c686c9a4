"""Whether Balances is ready, and how old what it knows is."""

import time

from balances import dead_letters, positions
from common.mysql import DatabaseUnavailable
from common.runner import STUCK_SECONDS


def look(database, status):
    """(HTTP status, facts): 503 while MySQL does not answer, the consumer's thread is stuck or has no position yet.

    Afterwards Kafka away is no fault: a read model goes on answering and says how old it is.
    """
    known = status.read()
    last_event_at = known.get("last_event_at")
    partitions = known.get("partitions", [])
    facts = {
        "status": "ready",
        "mysql": "up",
        "kafka": known.get("kafka", "unknown"),
        "consumer": known.get("consumer", "starting"),
        "lag": sum(each["lag"] for each in partitions),
        "last_event_seconds": round(time.time() - last_event_at, 3) if last_event_at else None,
        "partitions": partitions,
    }
    if "failing" in known:
        facts["failing"] = known["failing"]
    if not known.get("positioned"):
        facts["status"] = "not ready"
    if status.age() > STUCK_SECONDS / 2:
        facts.update(status="not ready", consumer="stuck")
    try:
        parked, announce = database.read(lambda cursor: (dead_letters.count(cursor), positions.history_gone(cursor)))
        facts.update(parked=parked, announce_needed=announce)
    except DatabaseUnavailable:
        facts.update(status="not ready", mysql="down")
    return (200 if facts["status"] == "ready" else 503), facts
