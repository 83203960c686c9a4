import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from common.json_api import JsonApp
from common.metrics import gauge, metrics_middleware
from common.request_log import request_logging_middleware
from common.shared_metrics import FOLDER_VARIABLE, shared_metrics


class Refused(Exception):
    pass


@pytest.fixture
def ask():
    """Asks an app with a few routes, its requests counted."""
    app = JsonApp({Refused: 422})
    app.get("/things/<thing_id>")(lambda thing_id: {"id": thing_id})
    app.get("/refused")(_refuse)
    app.get("/broken")(lambda: 1 / 0)
    observed = []
    counted = request_logging_middleware(
        metrics_middleware(
            app, CollectorRegistry(), lambda: [gauge("things", "…", 7)], lambda *request: observed.append(request)
        )
    )

    def ask(path):
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "wsgi.input": io.BytesIO()}
        return b"".join(counted(environ, lambda *_: None)).decode()

    ask.app, ask.observed = app, observed
    return ask


def test_requests_are_counted_by_route_and_status_and_not_by_path(ask):
    ask("/things/1")
    ask("/things/2")

    assert samples(ask("/metrics"), "http_requests_total") == {("GET", "/things/<thing_id>", "200"): 2}


def test_an_unhandled_error_is_counted_as_the_500_that_it_is(ask):
    ask("/broken")

    assert samples(ask("/metrics"), "http_requests_total") == {("GET", "/broken", "500"): 1}


def test_what_finds_no_route_is_counted_together_whatever_its_path(ask):
    ask("/nowhere")
    ask("/elsewhere")

    assert samples(ask("/metrics"), "http_requests_total") == {("", "none", "404"): 2}


def test_a_refusal_is_observed_by_its_name(ask):
    ask("/refused")

    assert ask.observed == [("GET", "/refused", "422", "Refused")]


def test_a_route_of_any_length_is_counted_under_its_own_name(ask):
    first, second = "/refused/" + "a" * 300 + "1", "/refused/" + "a" * 300 + "2"
    for path in (first, second):
        ask.app.get(path)(_refuse)
        ask(path)

    counted = samples(ask("/metrics"), "http_requests_total")
    assert counted == {("GET", first, "422"): 1, ("GET", second, "422"): 1}


def test_each_duration_is_counted_in_its_bucket_and_in_all_above(ask):
    ask("/things/1")
    text = ask("/metrics")

    buckets = samples(text, "http_request_duration_seconds_bucket", "le")
    assert buckets["+Inf",] == 1
    assert list(buckets.values()) == sorted(buckets.values())
    assert samples(text, "http_request_duration_seconds_count", "route") == {("/things/<thing_id>",): 1}


def test_what_the_service_collects_is_on_the_same_page(ask):
    assert samples(ask("/metrics"), "things") == {(): 7}


def test_processes_count_together_though_each_has_a_file_of_its_own(tmp_path):
    program = """
import os
from common.shared_metrics import shared_metrics

def serve():
    import io
    from prometheus_client import CollectorRegistry
    from common.json_api import JsonApp
    from common.metrics import metrics_middleware
    app = JsonApp({})
    app.get("/things")(lambda: "thing")
    served = metrics_middleware(app, CollectorRegistry(), list)
    return lambda path: b"".join(
        served({"REQUEST_METHOD": "GET", "PATH_INFO": path, "wsgi.input": io.BytesIO()}, lambda *_: None)
    )

with shared_metrics(3):
    for _ in range(3):
        if not os.fork():
            ask = serve()
            for _ in range(1000):
                ask("/things")
            os._exit(0)
    for _ in range(3):
        os.wait()
    print(serve()("/metrics").decode())
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).resolve().parents[2],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=50,
    )

    assert samples(done.stdout, "http_requests_total") == {("GET", "/things", "200"): 3000}
    assert samples(done.stdout, "http_request_duration_seconds_count") == {("GET", "/things"): 3000}
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_processes_that_were_killed_is_removed_at_the_next_start(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    killed = tmp_path / "metrics-killed"
    killed.mkdir()
    (killed / "counter_1.db").write_bytes(b"values")

    with shared_metrics(2):
        living = Path(os.environ[FOLDER_VARIABLE])
        with shared_metrics(2):  # of another service that starts meanwhile
            assert living.exists()
            assert not killed.exists()

    assert list(tmp_path.iterdir()) == []


def samples(text, name, *labels):
    """{label values: value} of a metric."""
    found = [each for family in text_string_to_metric_families(text) for each in family.samples if each.name == name]
    return {tuple(each.labels[label] for label in labels or sorted(each.labels)): each.value for each in found}


def _refuse():
    raise Refused
