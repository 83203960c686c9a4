"""The balances over HTTP."""

from bottle import HTTPResponse

from balances import projection, readiness
from common.json_api import json_app, number, page, rfc3339, to_json


class BalanceNotFound(Exception):
    def __init__(self, account_id):
        super().__init__(f"no balance is known of account {account_id[:255]}")


STATUS_BY_ERROR = {BalanceNotFound: 404}


def create_app(database, status):
    """The app; `status` is the consumer's."""
    app = json_app(STATUS_BY_ERROR)

    @app.get("/balances/<account_id>")
    def get_balance(account_id):
        row = database.read(projection.find, account_id)
        if row is None:
            raise BalanceNotFound(account_id)
        return _balance(row)

    @app.get("/balances")
    def get_balances():
        after, limit = page()
        rows = database.read(projection.page, after, limit)
        following = rows[-1].account_id if len(rows) == limit else None
        return {"balances": [_balance(row) for row in rows], "next": following}

    @app.get("/health")
    def health():
        return {"status": "ok"}

    @app.get("/ready")
    def ready():
        code, facts = readiness.look(database, status)
        return HTTPResponse(to_json(facts), code, {"Content-Type": "application/json"})

    return app


def _balance(row):
    return {"account_id": row.account_id, "balance": number(row.balance), "updated_at": rfc3339(row.updated_at)}
