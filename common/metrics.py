"""GET /metrics for Prometheus: the requests that all processes of a service answered, and what the service collects.

prometheus_client keeps the values of one process in memory. Those of several processes it keeps in a folder of files
that each of them reads. It chooses when it is first imported: so a process imports this module after its fork, and
`shared_metrics` has made the folder before.
"""

import os
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from types import SimpleNamespace
from typing import Any

from bottle import HTTPResponse
from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from common.json_api import JsonApp
from common.shared_metrics import FOLDER_VARIABLE

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)  # seconds
NO_ROUTE = ("", "none")  # one series for all paths without a route, because clients choose the paths

Labels = tuple[str, ...]

disable_created_metrics()  # type: ignore[no-untyped-call]  # one more series for each counter, which nothing uses


def metrics_middleware(
    app: JsonApp,
    registry: CollectorRegistry,
    collect: Callable[[], Iterable[Metric]],
    observe: Callable[[str, str, str, str], object] = lambda method, route, status, outcome: None,
) -> Callable[..., Any]:
    """Count the requests of the app, and serve all metrics at /metrics.

    `collect()` returns the service's own metric families at each scrape. `observe(method, route, status, outcome)` is
    called after each request. The outcome is what the route stored in `environ`: the name of a refusal, or "".
    """
    requests = Counter(
        "http_requests", "Requests by route and status.", ("method", "route", "status"), registry=registry
    )
    durations = Histogram(
        "http_request_duration_seconds", "Seconds to answer.", ("method", "route"), registry=registry, buckets=BUCKETS
    )

    @cache
    def of(method: str, route: str, status: str) -> tuple[Counter, Histogram]:
        """The series of these labels: prometheus_client would search for them, with a lock, at each request."""
        return requests.labels(method, route, status), durations.labels(method, route)

    @app.get("/metrics")
    def metrics() -> HTTPResponse:
        families = [*_of_all_processes(registry).collect(), *collect()]
        text = generate_latest(SimpleNamespace(collect=lambda: families))
        return HTTPResponse(text, 200, {"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        started = time.perf_counter()
        answered = "500"

        def start(status: str, headers: Any, exc_info: Any = None) -> Any:
            nonlocal answered
            answered = status[:3]  # Bottle's hooks see 200 where an error is unhandled
            return start_response(status, headers, exc_info)

        try:
            return app(environ, start)
        finally:
            seconds = time.perf_counter() - started
            route = environ.get("bottle.route")
            where: tuple[str, str] = (route.method, route.rule) if route else NO_ROUTE
            counted, timed = of(*where, answered)
            counted.inc()
            timed.observe(seconds)
            observe(*where, answered, environ.get("outcome", ""))

    return application


def gauge(name: str, documentation: str, value: float | None) -> Metric:
    """A metric family of one value, or of none if the value is unknown."""
    return gauges(name, documentation, (), {} if value is None else {(): value})


def gauges(name: str, documentation: str, labels: Labels, values: Mapping[Labels, float]) -> Metric:
    family = GaugeMetricFamily(name, documentation, labels=labels)
    for each, value in values.items():
        family.add_metric(each, value)
    return family


def counter(name: str, documentation: str, labels: Labels, values: Mapping[Labels, float]) -> Metric:
    family = CounterMetricFamily(name, documentation, labels=labels)
    for each, value in values.items():
        family.add_metric(each, value)
    return family


def _of_all_processes(registry: CollectorRegistry) -> CollectorRegistry:
    if FOLDER_VARIABLE not in os.environ:
        return registry
    shared = CollectorRegistry()
    MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
    return shared
