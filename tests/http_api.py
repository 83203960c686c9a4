"""Bodies of requests, and what every refusal has in common."""

from typing import Any

import requests


def transfer_body(source: str, target: str, amount: object) -> dict[str, object]:
    """The body of POST /transactions."""
    return {"account_id_from": source, "account_id_to": target, "amount": amount}


def check_problem(response: requests.Response, status: int) -> None:
    """Check that the response is a problem document with its own status and one sentence."""
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert set(document) == {"type", "title", "status", "detail"}
    assert document["status"] == status
    assert "Traceback" not in document["detail"]
