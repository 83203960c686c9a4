"""What Prometheus is told of the wallet."""

from collections import Counter

from common.metrics import counter, gauge
from common.mysql import DatabaseUnavailable
from wallet.repositories import Outbox


def look(requests, database, status):
    """The metric families; what MySQL would have to tell is left out while it is away."""
    relay = status.read()
    try:
        rows, seconds = database.read(lambda cursor: Outbox(cursor).depth())
    except DatabaseUnavailable:
        rows = seconds = None
    return [
        counter("wallet_transfers", "Transfers asked for, by what became of them.", ("outcome",), _transfers(requests)),
        gauge("wallet_outbox_rows", f"Announcements that wait for Kafka, counted up to {Outbox.COUNTED}.", rows),
        gauge("wallet_outbox_oldest_seconds", "How long the oldest of them has waited.", seconds),
        gauge("wallet_relay_leads", "Whether it is this wallet that publishes.", relay.get("relay") == "leads"),
        gauge("mysql_up", "Whether MySQL answers.", rows is not None),
        gauge("kafka_up", "Whether Kafka answered last.", {"up": 1, "down": 0}.get(relay.get("kafka"))),
    ]


def _transfers(requests):
    """{(outcome,): how many}: done, replayed (its Idempotency-Key was known), failed, or the name of the refusal."""
    transfers = Counter({("done",): 0})
    for (method, route, status, remark), number in requests.items():
        if (method, route) == ("POST", "/transactions"):
            transfers[(remark or ("done" if status == "201" else "failed"),)] += number
    return transfers
