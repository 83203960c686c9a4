"""How fast `POST /transactions` stores transfers, with the relay running beside it."""

import json
import random
import time

from tests.bench import http_load, system
from tests.bench.figures import Figure

SECONDS = 8


def over_100_accounts(runs):
    system.fill_accounts(1_000)
    loads, drained = [], []
    for _ in range(runs):
        loads.append(_load(100))
        drained.append(_seconds_to_drain())
    return [
        Figure("POST, 8 clients, 100 accounts", "transfers/s", [each.per_second for each in loads], 800),
        Figure("POST, p99", "ms", [each.percentile_ms(99) for each in loads], 30, at_least=False),
        Figure("outbox empty after the last POST", "s", drained, 1, at_least=False),
    ]


def over_two_hot_accounts(runs):
    system.fill_accounts(1_000)
    loads = [_load(2) for _ in range(runs)]
    return [
        Figure("POST, 8 clients, two hot accounts", "transfers/s", [each.per_second for each in loads]),
        Figure("POST, two hot accounts, p99", "ms", [each.percentile_ms(99) for each in loads]),
    ]


def as_the_tables_grow(runs):
    figures = []
    for accounts in (1_000, 100_000, 1_000_000):
        system.fill_accounts(accounts)
        loads = [_load(accounts) for _ in range(runs)]
        figures.append(
            Figure(f"POST, 8 clients, {accounts:,} accounts", "transfers/s", [each.per_second for each in loads])
        )
        _seconds_to_drain()
    return figures


def after_an_outage_with_a_million_rows(runs):
    system.fill_accounts(1_000)
    system.local("stop", "kafka")
    system.fill_outbox(1_000_000)
    posts = [_load(100) for _ in range(runs)]
    ready = [
        http_load.run(system.WALLET_PORT, lambda: http_load.get("/ready"), 1, 2).percentile_ms(50) for _ in range(runs)
    ]
    rows = _outbox_rows()
    system.local("start", "kafka")
    system.wait_until(lambda: _outbox_rows() < rows)
    started, rows = time.perf_counter(), _outbox_rows()
    drain = rows / max(0.001, _seconds_to_drain() or time.perf_counter() - started)
    return [
        Figure("POST, 8 clients, a million rows in the outbox", "transfers/s", [each.per_second for each in posts]),
        Figure("/ready of the wallet, a million rows in the outbox, p50", "ms", ready),
        Figure("the outbox drains at", "rows/s", [drain]),
    ]


def _load(accounts):
    def request():
        source, target = random.sample(range(accounts), 2)
        body = {
            "account_id_from": system.account_id(source),
            "account_id_to": system.account_id(target),
            "amount": 0.01,
        }
        return http_load.post("/transactions", json.dumps(body))

    load = http_load.run(system.WALLET_PORT, request, connections=8, seconds=SECONDS)
    if set(load.statuses) != {201}:
        raise SystemExit(f"not every answer was 201: {dict(load.statuses)}")
    return load


def _seconds_to_drain():
    started = time.perf_counter()
    system.wait_until(lambda: not system.execute("wallet", "SELECT id FROM outbox LIMIT 1"))
    return time.perf_counter() - started


def _outbox_rows():
    return system.execute("wallet", "SELECT COUNT(*) FROM outbox")[0][0]
