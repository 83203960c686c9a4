"""Domain events as Kafka records: topic, key and value, byte for byte as Wallet Core (Go) publishes them.

Its consumers know the topics `transactions` and `balances`. New events have a topic of their own, `accounts`.
"""

import json
from dataclasses import fields
from decimal import Decimal
from typing import Any

from common.events import outbox
from common.json_text import number, to_json
from wallet.domain import AccountCreated, BalanceAnnounced, BalanceUpdated, Event, TransactionCreated

# The topic and the field that is the key: events of one key keep their order.
_ROUTES = {
    TransactionCreated: ("transactions", "account_id_from"),
    BalanceUpdated: ("balances", "account_id_from"),
    AccountCreated: ("accounts", "account_id"),
    BalanceAnnounced: ("accounts", "account_id"),
}
TOPICS = sorted({topic for topic, _ in _ROUTES.values()})


def to_message(event: Event) -> outbox.Event:
    """The event for the outbox. The sequence is not in the value but in a header."""
    topic, key = _ROUTES[type(event)]
    names = [field.name for field in fields(event) if field.name != "sequence"]
    payload = {name: _as_json_value(getattr(event, name)) for name in names}
    value = to_json({"Name": type(event).__name__, "Payload": payload})
    return outbox.Event(topic, getattr(event, key), _escaped_as_go_does(value).decode("utf-8"), event.sequence)


def describe(row: outbox.Row) -> dict[str, Any]:
    """The name of a published event, for display."""
    return {"name": json.loads(row.value)["Name"]}


def _as_json_value(value: Any) -> Any:
    return number(value) if isinstance(value, Decimal) else value


def _escaped_as_go_does(value: bytes) -> bytes:
    """Go's encoding/json also escapes what could end a script in HTML. These bytes occur only in strings."""
    for raw, escaped in _GO_ESCAPES:
        value = value.replace(raw, escaped)
    return value


_GO_ESCAPES = [
    (character.encode("utf-8"), b"\\u%04x" % ord(character)) for character in ("<", ">", "&", "\u2028", "\u2029")
]
