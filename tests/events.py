"""The values of events, as Wallet writes them."""

import json
from typing import Any


def balance_announced(account_id: str = "a1", balance: object = 900) -> bytes:
    """A BalanceAnnounced; `balance` is a number or a text that takes the place of one."""
    payload = f'{{"account_id":{json.dumps(account_id)},"balance":{balance}}}'
    return f'{{"Name":"BalanceAnnounced","Payload":{payload}}}'.encode()


def balance_updated(**changes: Any) -> bytes:
    """A BalanceUpdated after a transfer of 100 from a1 to a2; `changes` replaces or adds fields."""
    payload = {
        "account_id_from": "a1",
        "account_id_to": "a2",
        "balance_account_id_from": 900,
        "balance_account_id_to": 1100,
    }
    return json.dumps({"Name": "BalanceUpdated", "Payload": {**payload, **changes}}).encode()
