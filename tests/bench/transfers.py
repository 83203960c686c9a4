"""How fast `POST /transactions` stores transfers while the relay publishes, against the same SQL without a service."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.bench import load, sql_loop, system
from tests.bench.benchmark import Benchmark, Step
from tests.bench.report import Row, Run
from tests.bench.workload import Workload
from tests.eventually import eventually

ACCOUNTS, HOT_ACCOUNTS = 1_000, 2
CONNECTIONS, MORE_CONNECTIONS = 8, 32
SERVICES = {"wallet": "Wallet", "mysql": "MySQL", "balances": "Balances", "kafka": "Kafka"}


@contextmanager
def _prepared(root: Path, http_processes: int) -> Iterator[None]:
    system.restart(root, "wallet", http_processes)
    system.migrate_reference()
    for database in ("wallet", system.REFERENCE):
        system.fill_accounts(database, ACCOUNTS)
    yield


def _load(name: str, accounts: int, connections: int) -> Callable[[int], Run]:
    def measure(seconds: int) -> Run:
        before = _processor_seconds()
        found = load.run(Workload("POST", accounts), [system.WALLET_PORT], connections, seconds)
        # The relay of this step must not slow the next one.
        eventually(system.outbox_is_empty, system.WAIT_SECONDS, "an empty outbox")
        transfers = found.per_second * seconds
        each_ms = {
            f"{name}_{service}": 1000 * (after - before[service]) / transfers
            for service, after in _processor_seconds().items()
        }
        return {**found.values(name), **each_ms, f"{name}_processor": sum(each_ms.values())}

    return measure


def _loop(name: str, accounts: int) -> Callable[[int], Run]:
    def measure(seconds: int) -> Run:
        before = time.process_time() + system.processor_seconds("mysql")
        per_second = sql_loop.run(accounts, seconds)
        used = time.process_time() + system.processor_seconds("mysql") - before
        return {name: per_second, f"{name}_processor": 1000 * used / (per_second * seconds)}

    return measure


def _processor_seconds() -> dict[str, float]:
    return {each: system.processor_seconds(each) for each in SERVICES}


STEPS = [
    Step(_load("post", ACCOUNTS, CONNECTIONS), fixed_seconds=0.3),
    Step(_loop("loop", ACCOUNTS), is_product=False, fixed_seconds=0.2),
    Step(_load("hot_post", HOT_ACCOUNTS, CONNECTIONS), fixed_seconds=0.3),
    Step(_loop("hot_loop", HOT_ACCOUNTS), is_product=False, fixed_seconds=0.2),
    Step(_load("more_post", ACCOUNTS, MORE_CONNECTIONS), fixed_seconds=0.3),
]


def _failed(metric: str) -> list[Row]:
    loads = {"8 connections": "post", "two accounts": "hot_post", "32 connections": "more_post"}
    return [
        Row(f"{metric}, {load}, failed", "responses", f"{name}_failed", at_most=0, every_run=True)
        for load, name in loads.items()
    ]


ONE_PROCESS = Benchmark(
    about="POST with the relay running against a loop of the same SQL in 8 threads of one process",
    prepare=partial(_prepared, http_processes=1),
    steps=STEPS,
    rows=[
        Row("POST, 8 connections", "transfers/s", "post", "loop", "bare SQL loop", at_least=0.6),
        Row("POST, 8 connections, two accounts", "transfers/s", "hot_post", "hot_loop", "bare SQL loop", at_least=0.6),
        Row("POST, 32 connections", "transfers/s", "more_post", "post", "8 connections", at_least=1),
        *_failed("POST"),
        Row("processor time of a transfer", "ms", "post_processor", "loop_processor", "bare SQL loop"),
        *(Row(f"processor time of a transfer, {name}", "ms", f"post_{key}") for key, name in SERVICES.items()),
        Row("POST, 8 connections, p99", "ms", "post_p99"),
        Row("POST, two accounts, p99", "ms", "hot_post_p99"),
    ],
)

TWO_PROCESSES = Benchmark(
    about="POST with two processes against the loop of one process",
    prepare=partial(_prepared, http_processes=2),
    steps=STEPS,
    rows=[
        Row("POST, 2 processes, 8 connections", "transfers/s", "post", "loop", "bare SQL loop"),
        Row("POST, 2 processes, two accounts", "transfers/s", "hot_post", "hot_loop", "bare SQL loop"),
        Row("POST, 2 processes, 32 connections", "transfers/s", "more_post", "post", "8 connections"),
        *_failed("POST, 2 processes"),
    ],
)
