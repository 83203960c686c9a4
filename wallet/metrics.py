"""The metrics of the wallet, for Prometheus."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from common.events.outbox import Outbox
from common.metrics import counter, gauge
from common.mysql import Cursor, Database, DatabaseUnavailable
from common.status import Status


def collect(requests: Mapping[tuple[str, ...], int], database: Database, status: Status) -> list[Any]:
    """The metric families; what only MySQL knows is left out while it is unavailable."""
    relay = status.read()
    rows: int | None
    seconds: float | None
    try:
        rows, seconds = database.probe(_depth)
    except DatabaseUnavailable:
        rows = seconds = None
    return [
        counter("wallet_transfers", "Transfers requested, by outcome.", ("outcome",), _transfers(requests)),
        gauge("wallet_outbox_rows", f"Events that wait for Kafka, counted up to {Outbox.COUNTED}.", rows),
        gauge("wallet_outbox_oldest_seconds", "How long the oldest of them has waited.", seconds),
        gauge("wallet_relay_leader", "Whether this wallet publishes.", relay.get("relay") == "leader"),
        gauge("mysql_up", "Whether MySQL answers.", rows is not None),
        gauge("kafka_up", "Whether Kafka answered last.", {"up": 1, "down": 0}.get(relay.get("kafka", ""))),
    ]


def _depth(cursor: Cursor) -> tuple[int, float]:
    return Outbox(cursor).depth()


def _transfers(requests: Mapping[tuple[str, ...], int]) -> Counter[tuple[str]]:
    """{(outcome,): how many}: done, replayed (its Idempotency-Key was known), failed, or the name of the refusal."""
    transfers: Counter[tuple[str]] = Counter({("done",): 0})
    for (method, route, status, outcome), number in requests.items():
        if (method, route) == ("POST", "/transactions"):
            transfers[(outcome or ("done" if status == "201" else "failed"),)] += number
    return transfers
