"""GET /events of both services: one transfer, from Wallet's outbox through Kafka to the read model."""

from typing import Any
from uuid import uuid4

import requests

from tests.eventually import eventually

FROM, TO = "a0000000-0000-4000-8000-000000000001", "a0000000-0000-4000-8000-000000000002"


def find(url: str, **expected: Any) -> dict[str, Any] | None:
    """The newest event with these fields."""
    events: list[dict[str, Any]] = requests.get(f"{url}/events", timeout=5).json()["events"]
    return next((each for each in events if expected.items() <= each.items()), None)


def test_a_transfer_is_published_and_applied_under_one_event_id(wallet_url: str, balances_url: str) -> None:
    request_id = str(uuid4())
    body = {"account_id_from": FROM, "account_id_to": TO, "amount": 0.01}

    response = requests.post(f"{wallet_url}/transactions", json=body, headers={"X-Request-Id": request_id}, timeout=10)

    sent = eventually(lambda: find(wallet_url, name="BalanceUpdated", request_id=request_id))
    applied = eventually(lambda: find(balances_url, event_id=sent["event_id"]))
    assert (sent["sequence"], sent["key"], sent["topic"]) == (int(response.headers["Sequence"]), FROM, "balances")
    assert find(wallet_url, name="TransactionCreated", request_id=request_id, topic="transactions")
    place = ("name", "topic", "partition", "offset", "key", "sequence", "request_id")
    assert {name: applied[name] for name in place} == {name: sent[name] for name in place}
    assert (applied["accounts"], applied["outcome"], applied["dead_letter"]) == ([FROM, TO], "applied", None)
    assert 0 < sent["acknowledged_after_ms"] < applied["applied_after_ms"] + 60_000


def test_both_services_have_the_links_of_the_pages(wallet_url: str, balances_url: str) -> None:
    links = [requests.get(f"{url}/events", timeout=5).json()["links"] for url in (wallet_url, balances_url)]

    assert links[0] == links[1]
    assert all(links[0].values())
