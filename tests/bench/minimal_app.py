"""The reference of `GET /balances/{account_id}`: the same stack and nothing else.

`python -m tests.bench.minimal_app PORT` serves one route of Bottle on waitress with 4 threads. Each thread has a
PyMySQL connection. No log line, no metrics, no ETag: what the product adds costs the difference.
"""

import json
import logging
import os
import sys
import threading
from typing import Any

import pymysql
import waitress
from bottle import Bottle, HTTPResponse

THREADS = 4
SELECT = "SELECT account_id, balance, updated_at FROM balances WHERE account_id = %s"

app = Bottle()
_local = threading.local()


@app.get("/balances/<account_id>")  # type: ignore[untyped-decorator]  # Bottle has no types
def get_balance(account_id: str) -> HTTPResponse:
    with _connection().cursor() as cursor:
        cursor.execute(SELECT, (account_id,))
        row = cursor.fetchone()
    if row is None:
        return HTTPResponse(b"{}", 404, {"Content-Type": "application/json"})
    body = {"account_id": row[0], "balance": float(row[1]), "updated_at": row[2].isoformat()}
    return HTTPResponse(json.dumps(body).encode(), 200, {"Content-Type": "application/json"})


def _connection() -> "pymysql.connections.Connection[Any]":
    if not hasattr(_local, "connection"):
        _local.connection = pymysql.connect(
            host="127.0.0.1",
            port=int(os.environ["MYSQL_PORT"]),
            user="balances",
            password="balances",
            database="balances",
            autocommit=True,
            ssl_disabled=True,
        )
    return _local.connection  # type: ignore[no-any-return]


if __name__ == "__main__":
    logging.getLogger("waitress.queue").setLevel(
        logging.ERROR
    )  # a line for each queued request would slow the reference
    waitress.serve(
        app, host="127.0.0.1", port=int(sys.argv[1]), threads=THREADS, connection_limit=1000, asyncore_use_poll=True
    )
