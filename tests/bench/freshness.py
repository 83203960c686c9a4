"""How long a change takes to show: from the topic to the GET, and from the POST to the GET."""

import json
import threading
import time
from contextlib import closing
from decimal import Decimal
from http.client import HTTPConnection

from kafka import KafkaProducer

from tests.bench import system
from tests.bench.figures import Figure

SAMPLES, VISIBLE_SECONDS = 200, 30
PACED_PER_SECOND = 40  # beside the ten a second that are measured


def from_topic_to_get(runs):
    medians, tails = zip(*(_percentiles(_from_topic()) for _ in range(runs)), strict=True)
    return [
        Figure("event on the topic to visible in GET, p50", "ms", list(medians), 8, at_least=False),
        Figure("event on the topic to visible in GET, p99", "ms", list(tails), 25, at_least=False),
    ]


def from_post_to_get(runs):
    # Other rows sent events of their own about the same accounts: a start raises the wallet's sequence above theirs.
    system.local("stop", "wallet")
    system.local("start", "wallet")
    system.fill_accounts(1_000)
    medians, tails = zip(*(_percentiles(_from_post()) for _ in range(runs)), strict=True)
    return [
        Figure("POST to visible in GET at 50 transfers/s, p50", "ms", list(medians), 20, at_least=False),
        Figure("POST to visible in GET at 50 transfers/s, p99", "ms", list(tails), 60, at_least=False),
    ]


def _from_topic():
    account = system.account_id(999_000)
    with KafkaProducer(**system.KAFKA, acks=1, enable_idempotence=False) as producer, closing(_balances()) as reader:
        for number in range(SAMPLES):
            sequence = int(time.time() * 1_000_000)
            future = system.send_balances(producer, account, system.account_id(999_001), number, 1, sequence)
            future.get(timeout=10)
            started = time.perf_counter()
            _await_balance(reader, account, number)
            yield time.perf_counter() - started
            time.sleep(0.1)


def _from_post():
    stop = threading.Event()
    pacing = threading.Thread(target=_pace, args=(stop,))
    pacing.start()
    try:
        with closing(HTTPConnection("127.0.0.1", system.WALLET_PORT)) as wallet, closing(_balances()) as reader:
            for _ in range(SAMPLES):
                source = system.account_id(500)
                before = _ask(wallet, "GET", f"/accounts/{source}")["balance"]
                started = time.perf_counter()
                _transfer(wallet, 500, 501)
                _await_balance(reader, source, before - Decimal("0.01"))
                yield time.perf_counter() - started
                time.sleep(0.1)
    finally:
        stop.set()
        pacing.join()


def _pace(stop):
    with closing(HTTPConnection("127.0.0.1", system.WALLET_PORT)) as wallet:
        number = 0
        while not stop.wait(1 / PACED_PER_SECOND):
            _transfer(wallet, number % 100, number % 100 + 100)
            number += 1


def _balances():
    return HTTPConnection("127.0.0.1", system.BALANCES_PORT)


def _await_balance(connection, account, balance):
    deadline = time.monotonic() + VISIBLE_SECONDS
    while _ask(connection, "GET", f"/balances/{account}").get("balance") != balance:
        if time.monotonic() > deadline:
            raise SystemExit(f"{account} did not come to {balance} within {VISIBLE_SECONDS} s")


def _transfer(connection, source, target):
    body = {"account_id_from": system.account_id(source), "account_id_to": system.account_id(target), "amount": 0.01}
    _ask(connection, "POST", "/transactions", json.dumps(body))


def _ask(connection, method, path, body=None):
    connection.request(method, path, body)
    return json.loads(connection.getresponse().read(), parse_float=Decimal)


def _percentiles(samples):
    ordered = sorted(1000 * each for each in samples)
    return ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]
