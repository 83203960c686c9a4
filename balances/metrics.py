"""What Prometheus is told of Balances."""

from balances import dead_letters, positions
from common.metrics import counter, gauge, gauges
from common.mysql import DatabaseUnavailable


def look(_, database, status):
    """The metric families; what MySQL would have to tell is left out while it is away."""
    known = status.read()
    try:
        parked, announce = database.read(lambda cursor: (dead_letters.count(cursor), positions.history_gone(cursor)))
    except DatabaseUnavailable:
        parked = announce = None
    events = known.get("events", {})
    followed = {(each["topic"], str(each["partition"])): each for each in known.get("partitions", [])}
    lag = {tp: each["lag"] for tp, each in followed.items()}
    seconds = {tp: each["lag_seconds"] for tp, each in followed.items() if each["lag_seconds"] is not None}
    outcomes = {(outcome,): events.get(outcome, 0) for outcome in ("applied", "parked")}
    return [
        counter("balances_events", "Events read, by what became of them.", ("outcome",), outcomes),
        counter("balances_stale", "Balances told that were no newer than known.", (), {(): events.get("stale", 0)}),
        gauge("balances_dead_letters", f"Parked events, counted up to {dead_letters.COUNTED}.", parked),
        gauge("balances_announce_needed", "1: events were lost unread; the wallet must announce.", announce),
        gauges("balances_lag_records", "Records not yet read.", ("topic", "partition"), lag),
        gauges("balances_lag_seconds", "How long they have waited at most.", ("topic", "partition"), seconds),
        gauge("balances_partitions_followed", "Partitions this process follows.", len(followed)),
        gauge("balances_partitions", "Partitions there are to follow.", known.get("partitions_to_follow")),
        gauge("mysql_up", "Whether MySQL answers.", parked is not None),
        gauge("kafka_up", "Whether Kafka answered last.", {"up": 1, "down": 0}.get(known.get("kafka"))),
    ]
