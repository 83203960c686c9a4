"""The real page of a service in front of the lists, events and state that a test chooses."""

import json
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

import waitress.server
from bottle import HTTPResponse

from common.access import csrf_protection
from common.documents import serve_documents
from common.http_request import after_and_limit, json_object
from common.json_api import JsonApp, serve_health
from common.json_text import problem
from common.mysql import PROBE_SECONDS

STATES: dict[str, dict[str, Any]] = {
    "wallet": {"relay": "leader", "outbox_rows": 0, "announce_required": False},
    "balances": {
        "consumer": "consuming",
        "lag": 0,
        "last_event_seconds": 1.5,
        "parked": 0,
        "announce_required": False,
        "problems": [],
    },
}
LISTS = {"wallet": ("accounts", "id"), "balances": ("balances", "account_id")}


class PageServer:
    """Serves the pages of `name` with `items` (the API's own bodies) and `facts` for /ready; both may be replaced."""

    def __init__(self, name: str, token: str = "") -> None:
        self.name = name
        self.facts = {"status": "ready", "mysql": "up", "kafka": "up", **STATES[name]}
        self.items: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []  # the newest first
        self.links: dict[str, str | None] = {"wallet": None, "balances": None}
        self.reads = ""  # an origin that the page may read from too
        self.read_by = ""  # an origin whose page may read from this service
        self.dead_letters: list[dict[str, Any]] = []  # the newest first
        self.clients: dict[str, str] = {}  # the name by id
        self.transactions: list[dict[str, Any]] = []  # of all accounts, the oldest first
        self.transfers: list[dict[str, Any]] = []
        self.refusals: list[HTTPResponse] = []  # the next responses to POST /transactions; the rest are 201
        self.mysql_answers = threading.Event()  # cleared: MySQL hangs, so a list waits, and /ready for PROBE_SECONDS
        self.mysql_answers.set()
        self._field, self._id = LISTS[name]
        app: Any = JsonApp({}, token)
        root = Path(__file__).parents[2]
        serve_documents(app, root / name / "page", root / "http" / f"{name}.openapi.json")
        serve_health(app, self._ready)
        app.get(f"/{self._field}")(self._list)
        app.get("/events")(lambda: {"events": self.events[:100], "links": self.links})
        if name == "wallet":
            app.get("/accounts/<account_id:id>/transactions")(self._account_transactions)
            for path, create in (
                ("/clients", self._create_client),
                ("/accounts", self._create_account),
                ("/transactions", self._transfer),
            ):
                app.post(path, apply=csrf_protection)(create)
        else:
            app.get("/dead-letters")(self._parked)
            app.get("/dead-letters/<number:int>")(self._dead_letter)
        app.get(f"/{self._field}/<item_id:id>")(self._find)  # last: an id may contain a slash
        self._server = waitress.server.create_server(self._across_origins(app), host="127.0.0.1", port=0)
        self.url = f"http://127.0.0.1:{self._server.effective_port}"
        threading.Thread(target=self._server.run, daemon=True).start()

    def __enter__(self) -> "PageServer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.mysql_answers.set()
        self._server.close()

    def _across_origins(self, app: Any) -> Any:
        """Add what the origins of other services require, which are known only after this one has a port."""

        def application(environ: dict[str, Any], start_response: Any) -> Any:
            def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
                policy = "connect-src 'self'"
                headers = [(name, value.replace(policy, f"{policy} {self.reads}")) for name, value in headers]
                if self.read_by and environ.get("HTTP_ORIGIN") == self.read_by:
                    headers.append(("Access-Control-Allow-Origin", self.read_by))
                return start_response(status, headers, *error)

            return app(environ, start)

        return application

    def _ready(self) -> tuple[int, dict[str, Any]]:
        if not self.mysql_answers.wait(PROBE_SECONDS):
            return 503, {**self.facts, "status": "not ready", "mysql": "down"}
        return 200 if self.facts["status"] == "ready" else 503, self.facts

    def _list(self) -> dict[str, Any]:
        self.mysql_answers.wait()
        after, limit = after_and_limit()
        following = sorted(
            (item for item in self.items if item[self._id] > after), key=lambda item: str(item[self._id])
        )
        more = len(following) >= limit
        return {self._field: following[:limit], "next": following[limit - 1][self._id] if more else None}

    def _find(self, item_id: str) -> dict[str, Any]:
        return next(item for item in self.items if item[self._id] == item_id)

    def _dead_letter(self, number: int) -> dict[str, Any]:
        return next(each for each in self.dead_letters if each["id"] == number)

    def _parked(self) -> dict[str, Any]:
        after, limit = after_and_limit()
        following = [each for each in self.dead_letters if not after or each["id"] < int(after)]
        shown = following[:limit]
        return {"dead_letters": shown, "next": str(shown[-1]["id"]) if len(shown) == limit else None}

    def _account_transactions(self, account_id: str) -> dict[str, Any]:
        after, limit = after_and_limit()
        ids = {"account_id_from", "account_id_to"}
        own = [each for each in reversed(self.transactions) if account_id in {each[name] for name in ids}]
        start = next((at + 1 for at, each in enumerate(own) if each["id"] == after), 0)
        shown = own[start : start + limit]
        return {"transactions": shown, "next": shown[-1]["id"] if start + limit < len(own) else None}

    def _create_client(self) -> Any:
        fields = json_object()
        if not fields["name"]:
            return refusal(422, "name must have 1 to 255 characters")
        self.clients[f"client-{len(self.clients) + 1}"] = fields["name"]
        return created({"ID": f"client-{len(self.clients)}"})

    def _create_account(self) -> Any:
        client_id = json_object()["client_id"]
        self.items.append(account(f"account-{len(self.items) + 1}", self.clients[client_id], 0, client_id))
        return created({"ID": self.items[-1]["id"]})

    def _transfer(self) -> Any:
        self.transfers.append(json_object())
        if self.refusals:
            return self.refusals.pop(0)
        return created({}, {"Sequence": "7"})


def created(body: dict[str, Any], headers: dict[str, str] | None = None) -> HTTPResponse:
    return HTTPResponse(json.dumps(body).encode(), 201, {"Content-Type": "application/json", **(headers or {})})


def refusal(status: int, detail: str) -> HTTPResponse:
    return HTTPResponse(problem(status, detail), status, {"Content-Type": "application/problem+json"})


def account(account_id: str, name: str, balance: float, client_id: str = "") -> dict[str, Any]:
    return {
        "id": account_id,
        "client_id": client_id or name,
        "client_name": name,
        "balance": balance,
        "created_at": "2026-11-01T09:00:00.000000Z",
    }


def balance(account_id: str, amount: float, updated_at: str = "2026-11-01T09:00:00.000000Z") -> dict[str, Any]:
    return {"account_id": account_id, "balance": amount, "updated_at": updated_at}


def published(sequence: int, offset: int = 17) -> dict[str, Any]:
    """An event of a transfer, as GET /events of Wallet returns it."""
    return {
        **_event(sequence, offset),
        "acknowledged_after_ms": 6.2,
        "occurred_at": "2026-11-01T09:00:00.000000Z",
    }


def consumed(sequence: int, offset: int = 17, outcome: str = "applied", **fields: Any) -> dict[str, Any]:
    """The record of that event, as GET /events of Balances returns it; `fields` replaces or adds fields."""
    return {
        **_event(sequence, offset),
        "accounts": ["a", "b"],
        "applied_after_ms": 21.4,
        "outcome": outcome,
        "reason": None,
        "dead_letter": None,
        **fields,
    }


def _event(sequence: int, offset: int) -> dict[str, Any]:
    return {
        "event_id": f"event-{sequence}",
        "sequence": sequence,
        "name": "BalanceUpdated",
        "key": "a",
        "topic": "balances",
        "partition": 0,
        "offset": offset,
        "request_id": None,
    }


def transaction(number: int, source: str, target: str, amount: float) -> dict[str, Any]:
    return {
        "id": f"transaction-{number:03}",
        "account_id_from": source,
        "account_id_to": target,
        "amount": amount,
        "created_at": "2026-11-01T09:00:00.000000Z",
    }


def dead_letter(number: int, reason: str, value: str) -> dict[str, Any]:
    return {
        "id": number,
        "state": "parked",
        "topic": "balances",
        "partition": 0,
        "offset": number,
        "reason": reason,
        "value": {"encoding": "utf-8", "text": value},
    }
