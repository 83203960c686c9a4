"""The metrics of Balances for Prometheus."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

from balances import readiness
from common import metrics
from common.events.dead_letters import COUNTED
from common.json_api import JsonApp
from common.metrics import Labels, counter, gauge, gauges
from common.mysql import Database, DatabaseUnavailable
from common.worker_status import WorkerStatus


def metrics_middleware(app: JsonApp, database: Database, status: WorkerStatus) -> Callable[..., Any]:
    """The app, with its requests counted and all metrics of Balances at /metrics."""
    return metrics.metrics_middleware(app, CollectorRegistry(), partial(collect, database, status))


def collect(database: Database, status: WorkerStatus) -> list[Metric]:
    """The metrics of one scrape. Those that only MySQL has are absent while MySQL is unavailable."""
    known = status.read()
    parked: int | None
    announce_required: bool | None
    try:
        parked, announce_required = database.probe(readiness.read)
    except DatabaseUnavailable:
        parked = announce_required = None
    events = known.get("events", {})
    partitions = {(each["topic"], str(each["partition"])): each for each in known.get("partitions", [])}
    labels = ("topic", "partition")
    lag: dict[Labels, float] = {labels_of: each["lag"] for labels_of, each in partitions.items()}
    seconds: dict[Labels, float] = {labels_of: each["lag_seconds"] for labels_of, each in partitions.items()}
    outcomes: dict[Labels, float] = {(outcome,): events.get(outcome, 0) for outcome in ("applied", "parked")}
    return [
        counter("balances_events", "Events consumed, by outcome.", ("outcome",), outcomes),
        counter("balances_stale", "Balances not newer than the stored ones.", (), {(): events.get("stale", 0)}),
        gauge("balances_dead_letters", f"Parked records, counted up to {COUNTED}.", parked),
        gauge(
            "balances_announce_required",
            "1 if records were lost; run wallet announce.",
            announce_required,
        ),
        gauges(
            "balances_lag_records",
            "Records not applied yet: the 100 highest lags.",
            labels,
            lag,
        ),
        gauges("balances_lag_seconds", "Age of the oldest record that is not applied yet.", labels, seconds),
        gauge("balances_partitions_consumed", "Partitions that this process consumes.", _partitions(known, "consumed")),
        gauge("balances_partitions", "Partitions of the topics.", _partitions(known, "total")),
        gauge("balances_partitions_stalled", "Partitions with records that no process applies.", known.get("stalled")),
        gauge("mysql_up", "1 if MySQL is available.", parked is not None),
        gauge("kafka_up", "1 if Kafka answered the last request.", {"up": 1, "down": 0}.get(known.get("kafka", ""))),
    ]


def _partitions(known: Mapping[str, Any], name: str) -> int | None:
    return known.get(f"partitions_{name}")
