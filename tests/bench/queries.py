"""How fast `GET /balances/{id}` answers, alone, as the table grows, and while a backlog is read."""

import random

from tests.bench import http_load, system
from tests.bench.figures import Figure

SECONDS = 5


def over_a_million_rows(runs):
    system.fill_balances(1_000_000)
    many = [_load(1_000_000, connections=16) for _ in range(runs)]
    one = [_load(1_000_000, connections=1) for _ in range(runs)]
    return [
        Figure("GET, 16 connections, a million rows", "req/s", [each.per_second for each in many], 1_400),
        Figure("GET, 16 connections, p99", "ms", [each.percentile_ms(99) for each in many], 30, at_least=False),
        Figure("GET, one connection, p50", "ms", [each.percentile_ms(50) for each in one], 0.6, at_least=False),
    ]


def as_the_table_grows(runs):
    figures = []
    for rows in (1_000, 100_000, 1_000_000):
        system.fill_balances(rows)
        loads = [_load(rows, connections=16) for _ in range(runs)]
        figures.append(Figure(f"GET, 16 connections, {rows:,} rows", "req/s", [each.per_second for each in loads]))
    return figures


def while_a_backlog_is_read(runs):
    system.fill_balances(1_000)
    latencies, rates = [], []
    for _ in range(runs):
        start = system.end_offset()
        system.local("stop", "balances")
        system.produce(300_000, accounts=1_000)
        system.local("start", "balances")
        load = _load(1_000, connections=16, seconds=3)
        if system.stored_offset() >= start + 300_000:
            raise SystemExit("the backlog was read before the load was over")
        latencies.append(load.percentile_ms(99))
        rates.append(load.per_second)
        system.wait_until(lambda start=start: system.stored_offset() >= start + 300_000)
    return [
        Figure("GET while a backlog is read, p99", "ms", latencies, 60, at_least=False),
        Figure("GET while a backlog is read", "req/s", rates),
    ]


def _load(rows, connections, seconds=SECONDS):
    def request():
        return http_load.get(f"/balances/{system.account_id(random.randrange(rows))}")

    load = http_load.run(system.BALANCES_PORT, request, connections, seconds)
    if set(load.statuses) != {200}:
        raise SystemExit(f"not every answer was 200: {dict(load.statuses)}")
    return load
