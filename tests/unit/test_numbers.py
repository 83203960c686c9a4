"""Money as JSON: the text that Go writes for the same number, never through a rounding."""

import json
from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.json_text import number, rfc3339, to_json

column = st.integers(-999_999_999_999_999, 999_999_999_999_999).map(lambda cents: Decimal(cents).scaleb(-2))


def text(amount):
    return to_json(number(Decimal(amount))).decode()


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        ("100", "100"),
        ("100.00", "100"),
        ("1E+2", "100"),
        ("99.50", "99.5"),
        ("0.1", "0.1"),
        ("0.01", "0.01"),
        ("0", "0"),
        ("0.00", "0"),
        ("-0.00", "0"),
        ("-5.25", "-5.25"),
        ("1000000", "1000000"),
        ("9999999999999.99", "9999999999999.99"),
        ("1000000000000.00", "1000000000000"),
        ("1." + "0" * 60_000, "1"),
    ],
)
def test_a_number_is_written_as_go_writes_it(amount, written):
    assert text(amount) == written


@given(column)
def test_every_number_that_the_column_holds_is_written_exactly(amount):
    assert json.loads(text(amount), parse_int=Decimal, parse_float=Decimal) == amount


@given(column)
def test_every_number_that_the_column_holds_is_written_as_go_writes_it(amount):
    # Go and Python both write the shortest text that gives the same float; below 1e16 they differ in the ".0" alone.
    as_go_writes = repr(float(amount)).removesuffix(".0")

    assert text(amount) == as_go_writes


def test_a_number_inside_a_body_has_no_quotes():
    body = to_json({"balance": number(Decimal("899.50"))})

    assert body == b'{"balance":899.5}'


@pytest.mark.parametrize(
    ("moment", "written"),
    [
        (datetime(2026, 11, 22, 11, 42, 20, 123456), "2026-11-22T11:42:20.123456Z"),
        (datetime(2026, 11, 22), "2026-11-22T00:00:00.000000Z"),
        (datetime(1, 1, 1), "0001-01-01T00:00:00.000000Z"),
    ],
)
def test_a_time_is_written_with_its_microseconds_and_in_utc(moment, written):
    assert rfc3339(moment) == written
