"""The balances of Wallet and of Balances, read over HTTP."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote

from common.service_client import ServiceClient, UpstreamError

ROWS_AT_ONCE = 1000


class Listed(NamedTuple):
    """An account in a list, with the service that listed it."""

    account_id: str
    source: str
    balance: Decimal


class WalletSource(Protocol):
    def accounts(self) -> Iterator[Listed]:
        """All accounts in id order."""

    def balance(self, account_id: str) -> Decimal | None:
        """The balance of the account, None if there is no such account."""

    def oldest_seconds(self) -> float:
        """The age of the oldest event in the outbox, 0 for an empty outbox."""


class BalancesSource(Protocol):
    def balances(self) -> Iterator[Listed]:
        """All balances in id order."""

    def row(self, account_id: str) -> tuple[Decimal | None, str | None]:
        """The balance and its time, None for both if there is no such account."""

    def caught_up_seconds(self) -> float | None:
        """All records that Kafka had so many seconds ago are applied; None if that is unknown."""


class Wallet:
    """Wallet over HTTP. Each method raises UpstreamError."""

    def __init__(self, service: ServiceClient) -> None:
        self._service = service

    def accounts(self) -> Iterator[Listed]:
        return (Listed(each["id"], "wallet", each["balance"]) for each in _all(self._service, "accounts"))

    def balance(self, account_id: str) -> Decimal | None:
        return _one(self._service, f"/accounts/{quote(account_id, safe='')}").get("balance")

    def oldest_seconds(self) -> float:
        return float(_ready(self._service, "outbox_oldest_seconds"))


class Balances:
    """Balances over HTTP. Each method raises UpstreamError."""

    def __init__(self, service: ServiceClient) -> None:
        self._service = service

    def balances(self) -> Iterator[Listed]:
        return (Listed(each["account_id"], "balances", each["balance"]) for each in _all(self._service, "balances"))

    def row(self, account_id: str) -> tuple[Decimal | None, str | None]:
        row = _one(self._service, f"/balances/{quote(account_id, safe='')}")
        return row.get("balance"), row.get("updated_at")

    def caught_up_seconds(self) -> float | None:
        seconds = _ready(self._service, "caught_up_seconds")
        return None if seconds is None else float(seconds)

    def announce_required(self) -> bool:
        """Whether Balances reports that records were lost before it read them."""
        return bool(_ready(self._service, "announce_required"))


def _all(service: ServiceClient, name: str) -> Iterator[dict[str, Any]]:
    after: str | None = ""
    while after is not None:
        status, body = service.get(f"/{name}", after=after, limit=ROWS_AT_ONCE)
        _expect(service, status == 200 and name in body, f"/{name}", status)
        yield from body[name]
        after = body["next"]


def _one(service: ServiceClient, path: str) -> dict[str, Any]:
    """The body, empty for 404."""
    status, body = service.get(path)
    _expect(service, status == 404 or (status == 200 and "balance" in body), path, status)
    return body if status == 200 else {}


def _ready(service: ServiceClient, name: str) -> Any:
    """One value of /ready, also from a service that is not ready."""
    status, body = service.get("/ready")
    _expect(service, name in body, "/ready", status)
    return body[name]


def _expect(service: ServiceClient, fulfilled: bool, path: str, status: int) -> None:
    if not fulfilled:
        hint = "; set WALLET_TOKEN and BALANCES_TOKEN to the tokens of the services" if status == 401 else ""
        raise UpstreamError(f"unexpected response of {service.url}{path}: status {status}{hint}")
