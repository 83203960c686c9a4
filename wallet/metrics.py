"""The metrics of Wallet for Prometheus."""

from collections.abc import Callable
from functools import partial
from typing import Any

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import Metric

from common import metrics
from common.events.outbox import Outbox
from common.json_api import JsonApp
from common.metrics import gauge
from common.mysql import Cursor, Database, DatabaseUnavailable
from common.worker_status import WorkerStatus


def metrics_middleware(app: JsonApp, database: Database, status: WorkerStatus) -> Callable[..., Any]:
    """The app, with its requests and transfers counted and all metrics of Wallet at /metrics."""
    registry = CollectorRegistry()
    transfers = Counter("wallet_transfers", "Transfers requested, by outcome.", ("outcome",), registry=registry)
    transfers.labels("done")  # a metric with 0 from the start

    def observe(method: str, route: str, status_code: str, outcome: str) -> None:
        """Count a transfer as done, replayed (its Idempotency-Key was known), failed, or by its refusal's name."""
        if (method, route) == ("POST", "/transactions"):
            transfers.labels(outcome or ("done" if status_code == "201" else "failed")).inc()

    return metrics.metrics_middleware(app, registry, partial(collect, database, status), observe)


def collect(database: Database, status: WorkerStatus) -> list[Metric]:
    """The metrics of one scrape. Those that only MySQL has are absent while MySQL is unavailable."""
    relay = status.read()
    rows: int | None
    seconds: float | None
    try:
        rows, seconds = database.probe(_depth)
    except DatabaseUnavailable:
        rows = seconds = None
    return [
        gauge("wallet_outbox_rows", f"Events that wait for Kafka, counted up to {Outbox.COUNTED}.", rows),
        gauge("wallet_outbox_oldest_seconds", "Age of the oldest event that waits for Kafka.", seconds),
        gauge("wallet_relay_leader", "1 if this wallet publishes, 0 on standby.", relay.get("relay") == "leader"),
        gauge("mysql_up", "1 if MySQL is available.", rows is not None),
        gauge("kafka_up", "1 if Kafka answered the last request.", {"up": 1, "down": 0}.get(relay.get("kafka", ""))),
    ]


def _depth(cursor: Cursor) -> tuple[int, float]:
    return Outbox(cursor).depth()
