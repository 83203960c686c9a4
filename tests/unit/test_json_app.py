"""A JSON app: what its routes return and raise becomes bodies, statuses and problem documents."""

import io
import json
import logging
from decimal import Decimal

import pytest

from common.http_request import BadRequest
from common.json_api import JsonApp
from common.json_text import number
from common.mysql import Conflict, DatabaseUnavailable, OutcomeUnknown
from common.request_log import request_logging_middleware


class AccountFrozen(Exception):
    pass


def call(path, method="GET", route=dict, **environ):
    """Call an app with this one route, as a WSGI server does; return (status, headers, body)."""
    app = JsonApp({AccountFrozen: 409})
    app.get("/there")(route)
    sent = []
    given = {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": "", "wsgi.input": io.BytesIO(), **environ}

    def start(status, headers, exc_info=None):
        sent.extend((status, dict(headers)))

    body = b"".join(request_logging_middleware(app)(given, start))
    return int(sent[0][:3]), sent[1], body


def raising(error):
    def route():
        raise error

    return route


def test_a_dict_becomes_a_json_body_with_its_decimals_exact():
    status, headers, body = call("/there", route=lambda: {"balance": number(Decimal("899.50")), "name": "José"})

    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert body == '{"balance":899.5,"name":"José"}\n'.encode()


@pytest.mark.parametrize(
    ("error", "status", "title"),
    [
        (AccountFrozen("account a1 is frozen"), 409, "Conflict"),
        (BadRequest("amount must be a number"), 400, "Bad Request"),
    ],
)
def test_a_refusal_becomes_a_problem_document_with_the_reason(error, status, title):
    answered, headers, body = call("/there", route=raising(error))

    assert (answered, headers["Content-Type"]) == (status, "application/problem+json")
    assert json.loads(body) == {"type": "about:blank", "title": title, "status": status, "detail": str(error)}


@pytest.mark.parametrize(
    "error",
    [
        DatabaseUnavailable("(2003, wallet@10.0.0.7)"),
        OutcomeUnknown("(2013, wallet@10.0.0.7)"),
        Conflict("(1213, deadlock)"),
    ],
)
def test_an_outage_is_a_503_with_the_time_of_a_retry_and_no_internal_detail(error):
    status, headers, body = call("/there", route=raising(error))

    assert (status, headers["Retry-After"]) == (503, "1")
    assert str(error) not in body.decode()


def test_an_unexpected_error_is_a_500_whose_trace_is_only_in_the_log(caplog):
    with caplog.at_level(logging.INFO, "http"):
        status, headers, body = call("/there", route=raising(KeyError("a secret")))

    assert (status, headers["Content-Type"]) == (500, "application/problem+json")
    assert json.loads(body)["detail"] == "internal error; search the log for this X-Request-Id"
    assert b"secret" not in body
    (line,) = caplog.records
    assert line.status == 500
    assert "KeyError: 'a secret'" in line.error


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/elsewhere", 404), ("DELETE", "/there", 405)])
def test_an_unknown_path_or_method_is_a_problem_document(method, path, status):
    answered, headers, body = call(path, method)

    assert (answered, headers["Content-Type"]) == (status, "application/problem+json")
    assert json.loads(body)["status"] == status


def test_the_clients_request_id_is_returned_and_logged(caplog):
    with caplog.at_level(logging.INFO, "http"):
        _, headers, _ = call("/there", HTTP_X_REQUEST_ID="checkout-1")

    assert headers["X-Request-Id"] == "checkout-1"
    (line,) = caplog.records
    assert (line.request_id, line.method, line.path, line.status) == ("checkout-1", "GET", "/there", 200)


@pytest.mark.parametrize("given", ["", "x" * 129, "two words", "a\nb", "é", '"'])
def test_a_request_id_that_is_none_or_would_do_harm_is_replaced(given):
    _, headers, _ = call("/there", HTTP_X_REQUEST_ID=given)

    assert headers["X-Request-Id"] != given
    assert len(headers["X-Request-Id"]) == 36
