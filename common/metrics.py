"""GET /metrics for Prometheus: every request counted, in all processes of a service, beside what the service tells."""

import mmap
import os
import struct
import threading
import time
from bisect import bisect_left
from collections import Counter
from itertools import accumulate
from types import SimpleNamespace

from bottle import HTTPResponse
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)  # seconds; and one for all above
NO_ROUTE = ("", "none")  # what found no route is counted together: its paths are the client's to choose

_SLOT = struct.Struct("=dB119s")  # a number, its name's length, its name
_SLOTS = 512
_PAGE_BYTES = _SLOTS * _SLOT.size


class Counts:
    """Numbers by name (a tuple of texts), which each process of a service adds to and any may read.

    Made before the processes are. Each has a page of its own in memory that all share: none waits for another.
    """

    def __init__(self, processes):
        self._memory = mmap.mmap(-1, processes * _PAGE_BYTES)
        self._pages, pages = os.pipe()  # the numbers of the pages that no process has taken yet
        os.write(pages, bytes(range(processes)))
        self._lock = threading.Lock()
        self._page = None
        self._places = {}

    def add(self, name, amount=1):
        with self._lock:
            place = self._places.get(name) or self._new_place(name)
            place[0] += amount

    def read(self):
        """{name: the sum of what all processes counted}."""
        counted = Counter()
        for number, length, name in _SLOT.iter_unpack(self._memory):
            if length:
                counted[tuple(name[:length].decode("utf-8").split("\t"))] += number
        return counted

    def _new_place(self, name):
        if len(self._places) == _SLOTS:
            raise OverflowError(f"{name} is one name too many: what comes from a client must not be part of one")
        if self._page is None:
            self._page = os.read(self._pages, 1)[0]
        start = self._page * _PAGE_BYTES + len(self._places) * _SLOT.size
        text = "\t".join(name).encode("utf-8")
        _SLOT.pack_into(self._memory, start, 0, len(text), text)
        self._places[name] = memoryview(self._memory)[start : start + 8].cast("d")
        return self._places[name]


def metered(app, counts, look):
    """The Bottle app with its requests counted, and told at /metrics.

    `look(requests)` gives the service's own metric families; it gets {(method, route, status, remark): how many}. The
    outcome is what a route left in its `environ`, as the name of a refusal, or "".
    """

    @app.get("/metrics")
    def metrics():
        counted = counts.read()
        requests = {name[1:]: int(number) for name, number in counted.items() if name[0] == "requests"}
        families = [*_of_requests(requests), _of_durations(counted), *look(requests)]
        page = generate_latest(SimpleNamespace(collect=lambda: families))
        return HTTPResponse(page, 200, {"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    def application(environ, start_response):
        started = time.perf_counter()
        answered = "500"

        def start(status, headers, exc_info=None):
            nonlocal answered
            answered = status[:3]  # only here for sure: Bottle's hooks see a 200 where an error goes unhandled
            return start_response(status, headers, exc_info)

        try:
            return app(environ, start)
        finally:
            seconds = time.perf_counter() - started
            route = environ.get("bottle.route")
            where = (route.method, route.rule) if route else NO_ROUTE
            counts.add(("requests", *where, answered, environ.get("outcome", "")))
            counts.add(("durations", *where, _BUCKET_NAMES[bisect_left(BUCKETS, seconds)]))
            counts.add(("seconds", *where), seconds)

    return application


def gauge(name, documentation, value):
    """A metric family of one number; of none where it is not known."""
    return gauges(name, documentation, (), {} if value is None else {(): value})


def gauges(name, documentation, labels, values):
    family = GaugeMetricFamily(name, documentation, labels=labels)
    for each, value in values.items():
        family.add_metric(each, value)
    return family


def counter(name, documentation, labels, values):
    family = CounterMetricFamily(name, documentation, labels=labels)
    for each, value in values.items():
        family.add_metric(each, value)
    return family


_BUCKET_NAMES = (*map(str, BUCKETS), "+Inf")


def _of_requests(requests):
    by_status = Counter()
    for (method, route, status, _), number in requests.items():
        by_status[method, route, status] += number
    yield counter("http_requests", "Requests by route and status.", ("method", "route", "status"), by_status)


def _of_durations(counted):
    family = HistogramMetricFamily("http_request_duration_seconds", "Seconds to answer.", labels=("method", "route"))
    for kind, *where in list(counted):
        if kind == "seconds":
            numbers = accumulate(counted["durations", *where, bucket] for bucket in _BUCKET_NAMES)
            family.add_metric(where, list(zip(_BUCKET_NAMES, numbers, strict=True)), counted["seconds", *where])
    return family
