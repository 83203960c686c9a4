"""Domain events as they travel: topic, key and value, byte for byte what Wallet Core publishes.

The original's consumers know `transactions` and `balances`; what is new here has a topic of its own, `accounts`.
"""

from dataclasses import fields
from decimal import Decimal
from typing import NamedTuple

from common.json_api import number, to_json
from wallet.domain import AccountCreated, BalanceAnnounced, BalanceUpdated, TransactionCreated

# The topic and the field that is the key: events of one key keep their order.
_ROUTES = {
    TransactionCreated: ("transactions", "account_id_from"),
    BalanceUpdated: ("balances", "account_id_from"),
    AccountCreated: ("accounts", "account_id"),
    BalanceAnnounced: ("accounts", "account_id"),
}
TOPICS = sorted({topic for topic, _ in _ROUTES.values()})


class Message(NamedTuple):
    topic: str
    key: str
    value: str


def to_message(event):
    topic, key = _ROUTES[type(event)]
    payload = {field.name: _as_json_value(getattr(event, field.name)) for field in fields(event)}
    value = to_json({"Name": type(event).__name__, "Payload": payload})
    return Message(topic, getattr(event, key), _escaped_as_go_does(value).decode("utf-8"))


def _as_json_value(value):
    return number(value) if isinstance(value, Decimal) else value


def _escaped_as_go_does(value):
    """Go's encoding/json also escapes what could end a script in HTML. Outside strings these bytes do not occur."""
    for raw, escaped in _GO_ESCAPES:
        value = value.replace(raw, escaped)
    return value


_GO_ESCAPES = [
    (character.encode("utf-8"), b"\\u%04x" % ord(character)) for character in ("<", ">", "&", "\u2028", "\u2029")
]
