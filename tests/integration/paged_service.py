"""The real page of a service in front of a list and a state that a test chooses."""

import threading
from pathlib import Path
from types import TracebackType
from typing import Any

import waitress.server
from bottle import HTTPResponse

from common.access import csrf_protection
from common.documents import serve_documents
from common.http_request import json_object, page
from common.json_api import JsonApp, serve_health

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


class PagedService:
    """Serves the pages of `name` with `items` (the API's own bodies) and `facts` for /ready; both may be replaced."""

    def __init__(self, name: str, token: str = "") -> None:
        self.facts = {"status": "ready", "mysql": "up", "kafka": "up", **STATES[name]}
        self.items: list[dict[str, Any]] = []
        self.transfers: list[dict[str, Any]] = []
        self.refusals: list[HTTPResponse] = []  # the next responses to POST /transactions; the rest are 201
        self._field, self._id = LISTS[name]
        app: Any = JsonApp({}, token)
        root = Path(__file__).parents[2]
        serve_documents(app, root / name / "page", root / "http" / f"{name}.openapi.json")
        serve_health(app, lambda: (200 if self.facts["status"] == "ready" else 503, self.facts))
        app.get(f"/{self._field}")(self._list)
        app.get(f"/{self._field}/<item_id:id>")(self._find)
        app.post("/transactions", apply=csrf_protection)(self._transfer)
        self._server = waitress.server.create_server(app, host="127.0.0.1", port=0)
        self.url = f"http://127.0.0.1:{self._server.effective_port}"
        threading.Thread(target=self._server.run, daemon=True).start()

    def __enter__(self) -> "PagedService":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.close()

    def _list(self) -> dict[str, Any]:
        after, limit = page()
        following = sorted(
            (item for item in self.items if item[self._id] > after), key=lambda item: str(item[self._id])
        )
        more = len(following) >= limit
        return {self._field: following[:limit], "next": following[limit - 1][self._id] if more else None}

    def _find(self, item_id: str) -> dict[str, Any]:
        return next(item for item in self.items if item[self._id] == item_id)

    def _transfer(self) -> Any:
        self.transfers.append(json_object())
        if self.refusals:
            return self.refusals.pop(0)
        return HTTPResponse(b"{}", 201, {"Content-Type": "application/json", "Sequence": "7"})


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
