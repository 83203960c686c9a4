import io
import os

import pytest
from prometheus_client.parser import text_string_to_metric_families

from common.json_api import json_app, logged
from common.metrics import Counts, gauge, metered


class Refused(Exception):
    pass


@pytest.fixture
def ask():
    """Asks an app with a few routes, its requests counted."""
    app = json_app({Refused: 422})
    app.get("/things/<thing_id>")(lambda thing_id: {"id": thing_id})
    app.get("/refused")(_refuse)
    app.get("/broken")(lambda: 1 / 0)
    heard = []
    counted = logged(metered(app, Counts(1), lambda requests: heard.append(requests) or [gauge("things", "…", 7)]))

    def ask(path):
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "wsgi.input": io.BytesIO()}
        return b"".join(counted(environ, lambda *_: None)).decode()

    ask.heard = heard
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


def test_a_refusal_is_told_by_its_name(ask):
    ask("/refused")
    ask("/metrics")

    assert ask.heard == [{("GET", "/refused", "422", "Refused"): 1}]


def test_each_duration_is_counted_in_its_bucket_and_in_all_above(ask):
    ask("/things/1")
    page = ask("/metrics")

    buckets = samples(page, "http_request_duration_seconds_bucket", "le")
    assert buckets["+Inf",] == 1
    assert list(buckets.values()) == sorted(buckets.values())
    assert samples(page, "http_request_duration_seconds_count", "route") == {("/things/<thing_id>",): 1}


def test_what_the_service_tells_stands_on_the_same_page(ask):
    assert samples(ask("/metrics"), "things") == {(): 7}


def test_processes_count_together_though_each_has_a_page_of_its_own():
    counts = Counts(3)
    children = [_forked(lambda: [counts.add(("requests", "a")) for _ in range(1000)]) for _ in range(3)]

    for child in children:
        os.waitpid(child, 0)

    assert counts.read() == {("requests", "a"): 3000}


def test_more_names_than_there_is_room_for_spoil_no_other_count():
    counts = Counts(2)
    for number in range(512):
        counts.add((str(number),))

    with pytest.raises(OverflowError):
        counts.add(("one more",))

    assert set(counts.read().values()) == {1}


def samples(page, name, *labels):
    """{label values: value} of a metric on the page."""
    found = [each for family in text_string_to_metric_families(page) for each in family.samples if each.name == name]
    return {tuple(each.labels[label] for label in labels or sorted(each.labels)): each.value for each in found}


def _refuse():
    raise Refused


def _forked(work):
    child = os.fork()
    if not child:
        work()
        os._exit(0)
    return child
