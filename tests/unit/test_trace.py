"""The traceparent of a request (W3C Trace Context): passed on if it is valid, ignored otherwise, and logged."""

import io
import logging

import pytest

from common.json_api import JsonApp
from common.request_log import request_logging_middleware
from common.trace import traceparent

VALID = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize("given", [VALID, VALID[:-2] + "00", VALID[:-2] + "ff"])
def test_a_valid_traceparent_is_passed_on_unchanged(given: str) -> None:
    assert traceparent({"HTTP_TRACEPARENT": given}) == given


@pytest.mark.parametrize("given", [f"01{VALID[2:]}", f"cc{VALID[2:]}-what-a-later-version-adds", f"cc{VALID[2:]}-"])
def test_a_later_version_is_passed_on_as_version_00(given: str) -> None:
    assert traceparent({"HTTP_TRACEPARENT": given}) == VALID


@pytest.mark.parametrize(
    "given",
    [
        "",
        VALID.upper(),
        f" {VALID}",
        f"{VALID}\n",
        f"{VALID}-more",  # version 00 has four fields
        f"{VALID}, {VALID}",  # two headers, as the server joins them
        f"ff{VALID[2:]}",
        f"0{VALID[2:]}",
        f"01{VALID[2:]}more",
        VALID.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32),
        VALID.replace("00f067aa0ba902b7", "0" * 16),
        VALID.replace("4bf9", "4bg9"),
        VALID[:-1],
    ],
)
def test_an_invalid_traceparent_is_ignored(given: str) -> None:
    assert traceparent({"HTTP_TRACEPARENT": given}) is None


def test_a_request_without_a_traceparent_has_none() -> None:
    assert traceparent({}) is None


@pytest.mark.parametrize(("given", "in_log"), [(VALID, VALID), ("nonsense", None)])
def test_the_log_line_of_a_request_has_its_traceparent(
    caplog: pytest.LogCaptureFixture, given: str, in_log: str | None
) -> None:
    caplog.set_level(logging.INFO)
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "wsgi.input": io.BytesIO(), "HTTP_TRACEPARENT": given}

    request_logging_middleware(JsonApp({}))(environ, lambda status, headers, exc_info=None: None)

    (line,) = (record for record in caplog.records if record.getMessage() == "request")
    assert getattr(line, "traceparent", None) == in_log
