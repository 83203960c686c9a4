"""The wallet over HTTP."""

import hashlib
import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

from bottle import HTTPResponse, request

from common.documents import serve_documents
from common.json_api import BadRequest, json_app, json_line, json_object, number, page, rfc3339, serve_health
from common.mysql import repeat_on_conflict
from wallet import readiness, use_cases
from wallet.domain import (
    AccountNotFound,
    BalanceLimitExceeded,
    ClientNotFound,
    InsufficientFunds,
    InvalidAmount,
    InvalidClient,
    SameAccount,
    TransactionNotFound,
)
from wallet.repositories import AccountRepository, ClientRepository, KeyReused, StillInProgress, TransactionRepository
from wallet.unit_of_work import unit_of_work

STATUS_BY_ERROR = {
    ClientNotFound: 404,
    AccountNotFound: 404,
    TransactionNotFound: 404,
    InvalidClient: 422,
    InvalidAmount: 422,
    InsufficientFunds: 422,
    SameAccount: 422,
    BalanceLimitExceeded: 422,
    StillInProgress: 409,
    KeyReused: 422,
}

PAGE = Path(__file__).with_name("page.html")
DESCRIPTION = Path(__file__).resolve().parent.parent / "http" / "wallet.openapi.json"

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def create_app(database, status, committed, token=""):
    """The app; `status` is the relay's, `committed()` is called after each commit that left something to relay."""
    app = json_app(STATUS_BY_ERROR, token)
    serve_documents(app, PAGE, DESCRIPTION)
    serve_health(app, lambda: readiness.look(database, status))

    @app.post("/clients")
    def create_client():
        fields = json_object()
        name, email = _text(fields, "name", ""), _text(fields, "email", "")
        client_id, now = _new_id(), _now()
        return created(lambda work: use_cases.create_client(work, client_id, name, email, now), _client, "/clients/")

    @app.post("/accounts")
    def create_account():
        fields = json_object()
        client_id = _text(fields, "client_id")
        account_id, now = _new_id(), _now()
        return created(
            lambda work: use_cases.create_account(work, account_id, client_id, now),
            lambda account: {"ID": account.id},
            "/accounts/",
        )

    @app.post("/transactions")
    def create_transaction():
        fields = json_object()
        source, target = _text(fields, "account_id_from"), _text(fields, "account_id_to")
        amount = _amount(fields)
        transaction_id, now = _new_id(), _now()
        return created(
            lambda work: use_cases.create_transaction(work, transaction_id, source, target, amount, now),
            lambda transaction: {
                "id": transaction.id,
                "account_id_from": transaction.account_id_from,
                "account_id_to": transaction.account_id_to,
                "amount": number(transaction.amount),
            },
            "/transactions/",
        )

    def created(use_case, as_body, location):
        """Run the use case as one transaction and answer 201; an Idempotency-Key gets the answer it got before."""
        key = _idempotency_key()

        def transaction():
            with unit_of_work(database, request.environ["request_id"]) as work:
                if key and (answer := work.answers.find(*key)):
                    status, headers, body = answer
                    request.environ["remark"] = "replayed"
                    return HTTPResponse(body, status, {**json.loads(headers), "Idempotent-Replayed": "true"})
                thing = use_case(work)
                body = json_line(as_body(thing))
                if key:
                    scope, name, _ = key
                    work.answers.keep(scope, name, 201, json.dumps(headers_of(thing, work)), body)
            return HTTPResponse(body, 201, headers_of(thing, work))

        def headers_of(thing, work):
            headers = {"Content-Type": "application/json", "Location": location + thing.id}
            if sequence := work.sequence():
                headers["Sequence"] = str(sequence)
            return headers

        answer = repeat_on_conflict(transaction)
        committed()
        return answer

    @app.get("/clients/<client_id>")
    def get_client(client_id):
        client = database.read(lambda cursor: ClientRepository(cursor).find(client_id))
        created_at = rfc3339(client.created_at)
        return {"id": client.id, "name": client.name, "email": client.email, "created_at": created_at}

    @app.get("/accounts/<account_id>")
    def get_account(account_id):
        return _account(database.read(lambda cursor: AccountRepository(cursor).find(account_id)))

    @app.get("/accounts")
    def get_accounts():
        after, limit = page()
        accounts = database.read(lambda cursor: AccountRepository(cursor).page(after, limit))
        following = accounts[-1].id if len(accounts) == limit else None
        return {"accounts": [_account(account) for account in accounts], "next": following}

    @app.get("/transactions/<transaction_id>")
    def get_transaction(transaction_id):
        transaction = database.read(lambda cursor: TransactionRepository(cursor).find(transaction_id))
        return {
            "id": transaction.id,
            "account_id_from": transaction.account_id_from,
            "account_id_to": transaction.account_id_to,
            "amount": number(transaction.amount),
            "created_at": rfc3339(transaction.created_at),
        }

    return app


def _client(client):
    """The body of the original's POST /clients, which prints its Go struct."""
    created_at = rfc3339(client.created_at)
    return {
        "ID": client.id,
        "Name": client.name,
        "Email": client.email,
        "CreatedAt": created_at,
        "UpdatedAt": created_at,
    }


def _account(account):
    return {
        "id": account.id,
        "client_id": account.client_id,
        "balance": number(account.balance),
        "created_at": rfc3339(account.created_at),
    }


def _text(fields, name, default=None):
    value = fields.get(name, default)
    if not isinstance(value, str):
        raise BadRequest(f"{name} must be a string")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadRequest(f"{name} holds half a surrogate pair") from error
    if _CONTROL.search(value):
        raise BadRequest(f"{name} holds a control character")
    return value


def _amount(fields):
    amount = fields.get("amount")
    if not isinstance(amount, Decimal):
        raise BadRequest("amount must be a number")
    return amount


def _idempotency_key():
    """(scope, key, SHA-256 of the body) of the request, or None when it has no Idempotency-Key."""
    key = request.environ.get("HTTP_IDEMPOTENCY_KEY")  # as it came: Bottle's get_header fails at what is not UTF-8
    if key is None:
        return None
    if not _IDEMPOTENCY_KEY.fullmatch(key):
        raise BadRequest("Idempotency-Key must have 1 to 255 visible ASCII characters")
    body = request.environ["wsgi.input"]
    body.seek(0)
    return f"{request.method} {request.path}", key, hashlib.sha256(body.read()).digest()


def _new_id():
    return str(uuid4())


def _now():
    return datetime.now(UTC).replace(tzinfo=None)
