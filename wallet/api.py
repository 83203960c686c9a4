"""The HTTP API of Wallet."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

from bottle import HTTPResponse

from common.access import csrf_protection
from common.documents import serve_documents
from common.event_routes import Links, serve_events
from common.events.idempotency import KeyReused, StillInProgress
from common.events.recent import RecentEvents
from common.http_request import BadRequest, after_and_limit, json_object
from common.json_api import JsonApp, serve_health
from common.json_text import number, rfc3339
from common.mysql import Cursor, Database
from common.worker_status import WorkerStatus
from wallet import readiness, use_cases
from wallet.domain import (
    Account,
    AccountNotFound,
    BalanceLimitExceeded,
    Client,
    ClientNotFound,
    ClocksDiffer,
    InsufficientFunds,
    InvalidAmount,
    InvalidClient,
    SameAccount,
    SequenceFromTheFuture,
    Transaction,
    TransactionNotFound,
)
from wallet.idempotent_request import create_resource
from wallet.repositories import AccountRepository, ClientRepository, TransactionRepository

STATUS_BY_ERROR: dict[type[Exception], int] = {
    ClientNotFound: 404,
    AccountNotFound: 404,
    TransactionNotFound: 404,
    StillInProgress: 409,
    KeyReused: 422,
    InvalidClient: 422,
    InvalidAmount: 422,
    InsufficientFunds: 422,
    SameAccount: 422,
    BalanceLimitExceeded: 422,
    ClocksDiffer: 503,
    SequenceFromTheFuture: 503,
}

PAGE = Path(__file__).with_name("page")
DESCRIPTION = Path(__file__).resolve().parent.parent / "http" / "wallet.openapi.json"
EVENT_DESCRIPTION = DESCRIPTION.with_name("wallet.asyncapi.json")

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def create_app(
    database: Database,
    status: WorkerStatus,
    committed: Callable[[], None],
    token: str = "",
    recent: RecentEvents | None = None,
    links: Links = Links(),  # noqa: B008  # immutable
) -> JsonApp:
    """The app; `status` and `recent` are the relay's. `links.balances` is the origin from which the page may read.

    `committed()` runs after each successful POST that published an event. After OutcomeUnknown it does not run: the
    relay then finds the event with its next poll.
    """
    app = JsonApp(STATUS_BY_ERROR, token)
    serve_documents(app, PAGE, DESCRIPTION, EVENT_DESCRIPTION, reads=links.balances)
    serve_health(app, lambda: readiness.check(database, status))
    serve_events(app, recent or RecentEvents(), links)
    _add_commands(app, database, committed)
    _add_queries(app, database)
    return app


def _add_commands(app: JsonApp, database: Database, committed: Callable[[], None]) -> None:
    @app.post("/clients", apply=csrf_protection)
    def create_client() -> HTTPResponse:
        fields = json_object()
        name, email = _text(fields, "name", ""), _text(fields, "email", "")
        client_id, now = _new_id(), _now()
        return create_resource(
            database,
            use_case=lambda work: use_cases.create_client(work, client_id, name, email, now),
            to_body=_created_client,
            location="/clients/",
        )

    @app.post("/accounts", apply=csrf_protection)
    def create_account() -> HTTPResponse:
        client_id = _text(json_object(), "client_id")
        account_id, now = _new_id(), _now()
        response = create_resource(
            database,
            use_case=lambda work: use_cases.create_account(work, account_id, client_id, now),
            to_body=lambda account: {"ID": account.id},
            location="/accounts/",
        )
        committed()
        return response

    @app.post("/transactions", apply=csrf_protection)
    def create_transaction() -> HTTPResponse:
        fields = json_object()
        source, target = _text(fields, "account_id_from"), _text(fields, "account_id_to")
        amount = _amount(fields)
        transaction_id, now = _new_id(), _now()
        response = create_resource(
            database,
            use_case=lambda work: use_cases.create_transaction(work, transaction_id, source, target, amount, now),
            to_body=_created_transaction,
            location="/transactions/",
        )
        committed()
        return response


def _add_queries(app: JsonApp, database: Database) -> None:
    @app.get("/clients/<client_id:id>")
    def get_client(client_id: str) -> dict[str, Any]:
        client = database.read(_client, client_id)
        created_at = rfc3339(client.created_at)
        return {"id": client.id, "name": client.name, "email": client.email, "created_at": created_at}

    # Register before /accounts/<id>: ids may contain slashes, and Bottle takes the first match.
    @app.get("/accounts/<account_id:id>/transactions")
    def get_account_transactions(account_id: str) -> dict[str, Any]:
        after, limit = after_and_limit()
        transactions = database.read(_account_transactions, account_id, after, limit)
        next_id = transactions[-1].id if len(transactions) == limit else None
        return {"transactions": [_transaction_body(each) for each in transactions], "next": next_id}

    @app.get("/accounts/<account_id:id>")
    def get_account(account_id: str) -> dict[str, Any]:
        return _account_body(*database.read(_account, account_id))

    @app.get("/accounts")
    def get_accounts() -> dict[str, Any]:
        after, limit = after_and_limit()
        accounts = database.read(_accounts, after, limit)
        next_id = accounts[-1][0].id if len(accounts) == limit else None
        return {"accounts": [_account_body(*each) for each in accounts], "next": next_id}

    @app.get("/transactions/<transaction_id:id>")
    def get_transaction(transaction_id: str) -> dict[str, Any]:
        return _transaction_body(database.read(_transaction, transaction_id))


def _created_client(client: Client) -> dict[str, Any]:
    """The response body of Wallet Core (Go), which encodes its struct."""
    created_at = rfc3339(client.created_at)
    return {
        "ID": client.id,
        "Name": client.name,
        "Email": client.email,
        "CreatedAt": created_at,
        "UpdatedAt": created_at,
    }


def _created_transaction(transaction: Transaction) -> dict[str, Any]:
    return {
        "id": transaction.id,
        "account_id_from": transaction.account_id_from,
        "account_id_to": transaction.account_id_to,
        "amount": number(transaction.amount),
    }


def _transaction_body(transaction: Transaction) -> dict[str, Any]:
    return {**_created_transaction(transaction), "created_at": rfc3339(transaction.created_at)}


def _account_body(account: Account, client_name: str) -> dict[str, Any]:
    return {
        "id": account.id,
        "client_id": account.client_id,
        "client_name": client_name,
        "balance": number(account.balance),
        "created_at": rfc3339(account.created_at),
    }


def _client(cursor: Cursor, client_id: str) -> Client:
    return ClientRepository(cursor).find(client_id)


def _account(cursor: Cursor, account_id: str) -> tuple[Account, str]:
    return AccountRepository(cursor).find_with_client(account_id)


def _accounts(cursor: Cursor, after: str, limit: int) -> list[tuple[Account, str]]:
    return AccountRepository(cursor).list_after_with_clients(after, limit)


def _account_transactions(cursor: Cursor, account_id: str, after: str, limit: int) -> list[Transaction]:
    account, transactions = AccountRepository(cursor).find(account_id), TransactionRepository(cursor)
    return transactions.newest_of(account, limit, transactions.find(after) if after else None)


def _transaction(cursor: Cursor, transaction_id: str) -> Transaction:
    return TransactionRepository(cursor).find(transaction_id)


def _text(fields: dict[str, Any], name: str, default: str | None = None) -> str:
    value = fields.get(name, default)
    if not isinstance(value, str):
        raise BadRequest(f"{name} must be a string")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadRequest(f"{name} contains a lone surrogate") from error
    if _CONTROL.search(value):
        raise BadRequest(f"{name} contains a control character")
    return value


def _amount(fields: dict[str, Any]) -> Decimal:
    amount = fields.get("amount")
    if not isinstance(amount, Decimal):
        raise BadRequest("amount must be a number")
    return amount


def _new_id() -> str:
    return str(uuid4())


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
