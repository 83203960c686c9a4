"""The present request: its JSON body and its query, or the reason why they are refused."""

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn
from urllib.parse import unquote_to_bytes

from bottle import request

BODY_BYTES = 64 * 1024
DEFAULT_LIMIT, HIGHEST_LIMIT = 100, 1000
CURSOR_CHARACTERS = 255


class BadRequest(Exception):
    """The request does not have the required form: 400."""


class BodyTooLarge(Exception):
    def __init__(self) -> None:
        super().__init__(f"the body is larger than {BODY_BYTES} bytes")


def json_object() -> dict[str, Any]:
    """The fields of the body, which must be a JSON object whatever its Content-Type is. Numbers are Decimals.

    Raises BadRequest and BodyTooLarge.
    """
    body: bytes = request.environ["wsgi.input"].read(BODY_BYTES + 1)
    if len(body) > BODY_BYTES:
        raise BodyTooLarge
    try:
        fields = _decoder.decode(body.decode("utf-8"))
    except InvalidOperation as error:
        raise BadRequest("the body contains a number out of range") from error
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"the body is not JSON: {str(error)[:200]}") from error
    if not isinstance(fields, dict):
        raise BadRequest("the body must be a JSON object")
    return fields


def query(name: str, default: str) -> str:
    """The query's parameter of that name. Raises BadRequest if the query has it twice or is not UTF-8."""
    # Bottle silently replaces bytes that are not UTF-8, so this checks the raw ones.
    try:
        unquote_to_bytes(request.query_string).decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadRequest("the query is not UTF-8") from error
    values = request.query.getall(name)
    if len(values) > 1:
        raise BadRequest(f"the query has {name} more than once")
    return values[0].encode("latin-1").decode("utf-8") if values else default


def after_and_limit() -> tuple[str, int]:
    """The query's `after` (a cursor, "" for the start) and `limit` (1 to 1,000, 100 by default). Raises BadRequest."""
    after, limit = query("after", ""), query("limit", str(DEFAULT_LIMIT))
    if len(after) > CURSOR_CHARACTERS:
        raise BadRequest(f"after is longer than {CURSOR_CHARACTERS} characters")
    if not re.fullmatch(r"[0-9]{1,4}", limit) or not 1 <= int(limit) <= HIGHEST_LIMIT:
        raise BadRequest(f"limit must be an integer from 1 to {HIGHEST_LIMIT}")
    return after, int(limit)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def _refuse_duplicate_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("duplicate key in an object")
    return fields


# Made once: `json.loads` with these options would make one for each request.
_decoder = json.JSONDecoder(
    parse_int=Decimal, parse_float=Decimal, parse_constant=_refuse_constant, object_pairs_hook=_refuse_duplicate_keys
)
