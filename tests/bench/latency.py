"""How soon a transfer is visible in Balances, against the parts that it cannot avoid.

A transfer waits for the COMMIT of Wallet, for Kafka's acknowledgement and for the COMMIT of Balances. The bench
measures a bare COMMIT and a bare acknowledgement during the same load.
"""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from kafka import KafkaProducer

from tests.bench import system
from tests.bench.benchmark import Benchmark, Step
from tests.bench.report import Row, Run, percentile
from tests.bench.workload import account_id

PER_SECOND, MEASURED_PER_SECOND = 50, 20  # transfers; the rest of them is only load
SOURCE, TARGET = 500, 501  # the accounts of the measured transfers
SECONDS_FACTOR = 2  # a p99 needs more samples than a throughput
ALLOWANCE_MS = 5  # for everything that is neither a COMMIT nor the round trip to the broker
VISIBLE_SECONDS = 30
REFERENCE_KEY = account_id(999_000)


@contextmanager
def _prepared(root: Path) -> Iterator[None]:
    system.restart(root, "balances")
    system.restart(root, "wallet")
    system.fill_accounts("wallet", 1_000)
    yield


def _product(seconds: int) -> Run:
    """POST a transfer and GET its balance until it is the new one."""
    with closing(_http(system.WALLET_PORT)) as wallet, closing(_http(system.BALANCES_PORT)) as balances, _load():
        _visible_ms(wallet, balances)  # connects
        samples = [_visible_ms(wallet, balances) for _ in _ticks(seconds)]
        acknowledged = _median_of_events(wallet, "acknowledged_after_ms")
        applied = _median_of_events(balances, "applied_after_ms")
    return {
        "visible_p50": percentile(samples, 50),
        "visible_p99": percentile(samples, 99),
        "acknowledged_p50": acknowledged,
        "applied_p50": applied,
    }


def _reference(seconds: int) -> Run:
    """A COMMIT of one changed row, and a record acknowledged by the broker, at the same pace during the same load."""
    commits, acknowledgements = [], []
    with closing(system.connect("balances")) as connection, connection.cursor() as cursor, _load():
        connection.autocommit(False)
        with closing(KafkaProducer(**system.KAFKA, acks="all")) as producer:
            _acknowledged_ms(producer, 0)  # connects
            for number, _ in enumerate(_ticks(seconds)):
                commits.append(_commit_ms(connection, cursor, number))
                acknowledgements.append(_acknowledged_ms(producer, number))
    values: dict[str, float] = {}
    for name, percent in (("p50", 50), ("p99", 99)):
        commit, acknowledgement = percentile(commits, percent), percentile(acknowledgements, percent)
        values[f"commit_{name}"], values[f"broker_{name}"] = commit, acknowledgement
        values[f"parts_{name}"] = 2 * commit + acknowledgement + ALLOWANCE_MS
    return values


def _visible_ms(wallet: HTTPConnection, balances: HTTPConnection) -> float:
    expected = _request(wallet, "GET", f"/accounts/{account_id(SOURCE)}")["balance"] - Decimal("0.01")
    started = time.perf_counter()
    _transfer(wallet, SOURCE, TARGET)
    while _request(balances, "GET", f"/balances/{account_id(SOURCE)}").get("balance") != expected:
        if time.perf_counter() - started > VISIBLE_SECONDS:
            raise SystemExit(f"a transfer was not visible in Balances within {VISIBLE_SECONDS} s")
    return 1000 * (time.perf_counter() - started)


def _median_of_events(connection: HTTPConnection, field: str) -> float:
    """The median of that field in GET /events; 0 of a revision without that list."""
    values = [float(each[field]) for each in _request(connection, "GET", "/events").get("events", ()) if each[field]]
    return percentile(values, 50) if values else 0.0


def _commit_ms(connection: Any, cursor: Any, number: int) -> float:
    cursor.execute(
        "INSERT INTO balances (account_id, balance, sequence) VALUES (%s, %s, 0)"
        " ON DUPLICATE KEY UPDATE balance = VALUES(balance)",
        (REFERENCE_KEY, number),
    )
    started = time.perf_counter()
    connection.commit()
    return 1000 * (time.perf_counter() - started)


def _acknowledged_ms(producer: KafkaProducer, number: int) -> float:
    started = time.perf_counter()
    system.send(producer, REFERENCE_KEY, REFERENCE_KEY, number, number, 1).get(timeout=system.CONNECTION_SECONDS)
    return 1000 * (time.perf_counter() - started)


def _ticks(seconds: int) -> Iterator[float]:
    """The times of the measured transfers, each given when it has come."""
    started = time.monotonic()
    for number in range(SECONDS_FACTOR * seconds * MEASURED_PER_SECOND):
        due = started + number / MEASURED_PER_SECOND
        time.sleep(max(0, due - time.monotonic()))
        yield due


@contextmanager
def _load() -> Iterator[None]:
    """The transfers that are not measured, until the end of the block."""
    stop = threading.Event()
    thread = threading.Thread(target=_transfer_until, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _transfer_until(stop: threading.Event) -> None:
    with closing(_http(system.WALLET_PORT)) as wallet:
        number = 0
        while not stop.wait(1 / (PER_SECOND - MEASURED_PER_SECOND)):
            _transfer(wallet, number % 100, number % 100 + 100)
            number += 1


def _http(port: int) -> HTTPConnection:
    return HTTPConnection("127.0.0.1", port, timeout=system.CONNECTION_SECONDS)


def _transfer(wallet: HTTPConnection, source: int, target: int) -> None:
    body = {"account_id_from": account_id(source), "account_id_to": account_id(target), "amount": 0.01}
    _request(wallet, "POST", "/transactions", json.dumps(body))


def _request(connection: HTTPConnection, method: str, path: str, body: str | None = None) -> dict[str, Any]:
    connection.request(method, path, body)
    return dict(json.loads(connection.getresponse().read(), parse_float=Decimal, parse_int=Decimal))


LATENCY = Benchmark(
    about=f"POST to visible in GET at {PER_SECOND} transfers/s against two COMMITs, one broker round trip and 5 ms",
    prepare=_prepared,
    steps=[
        Step(_product, times=SECONDS_FACTOR),
        Step(_reference, is_product=False, fixed_seconds=0.3, times=SECONDS_FACTOR),
    ],
    rows=[
        *(
            Row(
                f"POST to visible in GET, {name}",
                "ms",
                f"visible_{name}",
                f"parts_{name}",
                f"2 COMMITs, 1 acknowledgement, {ALLOWANCE_MS} ms",
                at_most=1,
            )
            for name in ("p50", "p99")
        ),
        Row("event acknowledged after its row was written, p50", "ms", "acknowledged_p50"),
        Row("event applied after its row was written, p50", "ms", "applied_p50"),
        Row("COMMIT of one row, p50", "ms", "commit_p50"),
        Row("COMMIT of one row, p99", "ms", "commit_p99"),
        Row("record acknowledged by the broker, p50", "ms", "broker_p50"),
        Row("record acknowledged by the broker, p99", "ms", "broker_p99"),
    ],
)
