"""JSON as both services write it: numbers as Go writes them, times in RFC 3339, problem documents (RFC 9457)."""

import base64
from datetime import datetime
from decimal import Decimal
from http import HTTPStatus

import msgspec

to_json = msgspec.json.Encoder(decimal_format="number").encode


def json_line(body: object) -> bytes:
    """A response body: JSON with a line end, as in Wallet Core (Go). A terminal shows its prompt on the next line."""
    return to_json(body) + b"\n"


def problem(status: int, detail: str, error: Exception | None = None) -> bytes:
    """A problem document. An error with the attributes `type` and `title` is a problem type of its own."""
    kind, title = getattr(error, "type", "about:blank"), getattr(error, "title", HTTPStatus(status).phrase)
    return json_line({"type": kind, "title": title, "status": status, "detail": detail})


def number(amount: Decimal) -> int | Decimal:
    """The amount as `to_json` writes it like Go: 100 or 99.5, never 100.00. Nothing is rounded."""
    integer = int(amount)
    return integer if integer == amount else amount.normalize()


def bytes_as_json(value: bytes | None) -> dict[str, str] | None:
    """Bytes of any kind, as UTF-8 text or else in base64; `encoding` names which of the two."""
    if value is None:
        return None
    try:
        return {"encoding": "utf-8", "data": value.decode("utf-8")}
    except UnicodeDecodeError:
        return {"encoding": "base64", "data": base64.b64encode(value).decode("ascii")}


def rfc3339(moment: datetime) -> str:
    """A naive UTC datetime, as MySQL returns it, in RFC 3339 with microseconds."""
    return moment.isoformat(timespec="microseconds") + "Z"
