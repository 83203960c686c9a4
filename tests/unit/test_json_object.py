"""How the body and the query of a request are read, and what is refused of them."""

import io
from decimal import Decimal

import pytest
from bottle import request
from hypothesis import given
from hypothesis import strategies as st

from common.http_request import BODY_BYTES, BadRequest, BodyTooLarge, after_and_limit, json_object


def read(body):
    request.bind({"wsgi.input": io.BytesIO(body)})
    return json_object()


def read_query(query):
    request.bind({"QUERY_STRING": query})
    return after_and_limit()


def test_a_json_object_is_read_with_its_numbers_exact():
    fields = read(b'{"name": "Ana", "amount": 0.10, "more": [1, true, null, {"x": 1e2}]}')

    assert fields == {"name": "Ana", "amount": Decimal("0.10"), "more": [1, True, None, {"x": Decimal(100)}]}


@pytest.mark.parametrize("text", ["100", "1e2", "1E+2", "0.10", "0.1", "-0.01", "9999999999999.99", "1e400000"])
def test_a_number_is_a_decimal_of_exactly_that_value(text):
    amount = read(b'{"amount": %s}' % text.encode())["amount"]

    assert type(amount) is Decimal
    assert amount == Decimal(text)


@pytest.mark.timeout(5)  # at once, whatever its size
@pytest.mark.parametrize("text", ["9" * 5_000, "0." + "9" * 5_000, "9" * 60_000], ids=["5,000", "5,000 more", "60,000"])
def test_a_number_of_thousands_of_digits_is_read_for_the_domain_to_judge(text):
    amount = read(b'{"amount": %s}' % text.encode())["amount"]

    assert amount == Decimal(text)


@pytest.mark.parametrize("text", ['"1"', "true", "null", "[]", "{}"])
def test_what_is_no_number_does_not_become_one(text):
    amount = read(b'{"amount": %s}' % text.encode())["amount"]

    assert type(amount) is not Decimal


def test_an_escaped_character_is_read_as_itself():
    fields = read('{"name": "Jos\\u00e9 é \\ud83d\\ude00 \\u0000"}'.encode())

    assert fields == {"name": "José é 😀 \0"}


def test_a_body_of_exactly_64_kib_is_read_and_one_byte_more_is_too_large():
    body = b'{"name": "%s"}'
    largest = body % (b"x" * (BODY_BYTES - len(body % b"")))

    assert len(read(largest)["name"]) > 65_000
    with pytest.raises(BodyTooLarge, match="the body is larger than 65536 bytes"):
        read(largest + b" ")


REFUSED = {
    "nothing": b"",
    "white space": b" \n",
    "no JSON": b"garbage",
    "half an object": b'{"amount": 1',
    "something behind it": b'{"amount": 1} x',
    "two objects": b"{}{}",
    "a comma too many": b'{"amount": 1,}',
    "single quotes": b"{'amount': 1}",
    "a list": b"[]",
    "a text": b'"amount"',
    "a number": b"1",
    "null": b"null",
    "NaN": b'{"amount": NaN}',
    "Infinity": b'{"amount": Infinity}',
    "minus Infinity": b'{"amount": -Infinity}',
    "a number of another notation": b'{"amount": 0x10}',
    "a number that begins with a zero": b'{"amount": 01}',
    "a number with a plus": b'{"amount": +1}',
    "a number without digits before the point": b'{"amount": .5}',
    "an exponent beyond any number": b'{"amount": 1e99999999999999999999}',
    "a duplicate key": b'{"amount": 1, "amount": 2}',
    "a duplicate key within": b'{"x": {"amount": 1, "amount": 2}}',
    "a duplicate key, once escaped": b'{"amount": 1, "\\u0061mount": 2}',
    "bytes that are not UTF-8": b'{"name": "\xff"}',
    "UTF-8 that hides an ASCII character": b'{"name": "\xc0\xaf"}',
    "a lone surrogate as bytes": b'{"name": "\xed\xa0\x80"}',
    "UTF-16": '{"name": "Ana"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"name": "Ana"}',
    "a raw line end within a text": b'{"name": "a\nb"}',
    "a raw NUL": b'{"name": "a\x00b"}',
    "lists 30,000 deep": b"[" * 30_000 + b"]" * 30_000,
    "objects 10,000 deep": b'{"x":' * 10_000 + b"1" + b"}" * 10_000,
    "lists that never end": b"[" * 60_000,
}


@pytest.mark.timeout(5)
@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED)
def test_a_body_that_is_not_one_json_object_is_refused_in_few_words(body):
    with pytest.raises(BadRequest) as refusal:
        read(body)

    assert 10 < len(str(refusal.value)) < 250


@given(st.binary())
def test_whatever_the_bytes_they_are_an_object_or_refused_and_nothing_else(body):
    try:
        fields = read(body)
    except BadRequest:
        return

    assert isinstance(fields, dict)


# ---- the query


def test_a_query_without_anything_asks_for_the_first_hundred():
    assert read_query("") == ("", 100)


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("limit=1", ("", 1)),
        ("limit=1000", ("", 1000)),
        ("limit=0100&after=a1", ("a1", 100)),
        ("after=%C3%A3%20%2F&x=1", ("ã /", 100)),
        ("after=" + "x" * 255, ("x" * 255, 100)),
    ],
)
def test_after_and_limit_are_read(query, asked):
    assert read_query(query) == asked


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "+1", "1.0", "1e2", "", "ten", "9" * 5000, "%D9%A1", "1%0A"])
def test_a_limit_that_is_not_an_integer_up_to_a_thousand_is_refused(limit):
    with pytest.raises(BadRequest, match="limit must be an integer from 1 to 1000"):
        read_query(f"limit={limit}")


@pytest.mark.parametrize("after", ["x" * 256, "%FF", "%C0%AF", "%ED%A0%80"])
def test_a_cursor_that_can_be_none_is_refused(after):
    with pytest.raises(BadRequest):
        read_query(f"after={after}")
