"""The reference of `POST /transactions`: the same statements in the same packets, by 8 threads of one process.

No HTTP, no checks, no relay. The tables are those of Wallet, in a database of their own.
"""

import random
import threading
import time
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

from pymysql.constants import CLIENT

from tests.bench import system
from tests.bench.workload import account_id

THREADS, AMOUNT = 8, Decimal("0.01")

LOCK = (
    "BEGIN; SELECT id, client_id, balance, created_at, sequence,"
    " CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS UNSIGNED) FROM accounts FORCE INDEX (PRIMARY)"
    " WHERE id IN (%s, %s) ORDER BY id FOR UPDATE"
)
SAVE = (
    "UPDATE accounts SET balance = CASE id WHEN %s THEN %s ELSE %s END, sequence = %s WHERE id IN (%s, %s);"
    " INSERT INTO transactions (id, account_id_from, account_id_to, amount, created_at) VALUES (%s, %s, %s, 0.01, %s);"
    " INSERT INTO outbox (topic, message_key, payload, sequence, event_id, request_id, traceparent) VALUES"
    " ('balances', %s, %s, %s, %s, %s, NULL), ('transactions', %s, %s, %s, %s, %s, NULL); COMMIT"
)
BALANCES = (
    '{"Name":"BalanceUpdated","Payload":{"account_id_from":"%s","account_id_to":"%s",'
    '"balance_account_id_from":%s,"balance_account_id_to":%s}}'
)
TRANSACTIONS = (
    '{"Name":"TransactionCreated","Payload":{"id":"%s","account_id_from":"%s","account_id_to":"%s","amount":0.01}}'
)


def run(accounts: int, seconds: float) -> float:
    """Transfers a second between accounts drawn uniformly. Raises what a thread raised."""
    counts, errors = [0] * THREADS, list[BaseException]()
    deadline = time.monotonic() + seconds

    def work(number: int) -> None:
        try:
            with closing(_connect()) as connection, connection.cursor() as cursor:
                while time.monotonic() < deadline:
                    source, target = random.sample(range(accounts), 2)
                    _transfer(cursor, account_id(source), account_id(target))
                    counts[number] += 1
        except BaseException as error:
            errors.append(error)

    started = time.monotonic()
    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    per_second = sum(counts) / (time.monotonic() - started)
    system.execute(system.REFERENCE, "DELETE FROM outbox")  # no relay empties it
    return per_second


def _connect() -> Any:
    connection = system.connect(system.REFERENCE, client_flag=CLIENT.MULTI_STATEMENTS)
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
    return connection


def _transfer(cursor: Any, source: str, target: str) -> None:
    cursor.execute(LOCK, (source, target))
    cursor.nextset()
    rows = {row[0]: row for row in cursor.fetchall()}
    source_balance, target_balance = rows[source][2] - AMOUNT, rows[target][2] + AMOUNT
    sequence = max(rows[source][4], rows[target][4], rows[source][5]) + 1
    transaction, request = str(uuid4()), str(uuid4())
    balances = BALANCES % (source, target, source_balance, target_balance)
    transactions = TRANSACTIONS % (transaction, source, target)
    cursor.execute(
        SAVE,
        (
            *(source, source_balance, target_balance, sequence, source, target),
            *(transaction, source, target, datetime.now()),
            *(source, balances, sequence, str(uuid4()), request),
            *(source, transactions, sequence, str(uuid4()), request),
        ),
    )
    while cursor.nextset():
        pass
