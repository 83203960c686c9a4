"""How fast `GET /balances/{account_id}` answers: one process, two processes, and while Balances consumes a backlog."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from tests.bench import events, load, python_client, system
from tests.bench.benchmark import Benchmark, Step
from tests.bench.report import Row, Run
from tests.bench.workload import Workload
from tests.eventually import eventually

ROWS = 100_000
GET = Workload("GET", ROWS)
MINIMAL_PORTS = [system.BALANCES_PORT + 10, system.BALANCES_PORT + 11]
CONNECTIONS = (1, 16, 64)
SPREAD_CONNECTIONS, SPREAD_TRIES = 16, 10
BACKLOG_ACCOUNTS, WARM_UP_EVENTS = 1_000, 50_000
BACKLOG_FACTORS = (1.2, 2.5, 5)  # events of the backlog / events that Balances applies during the load


@contextmanager
def _prepared(root: Path, http_processes: int) -> Iterator[None]:
    system.restart(root, "balances", http_processes)
    system.fill_balances(ROWS)
    with system.python(MINIMAL_PORTS, "-m", "tests.bench.minimal_app"):
        yield


def _load(name: str, ports: list[int], connections: int) -> Callable[[int], Run]:
    return lambda seconds: load.run(GET, ports, connections, seconds).values(name)


def _pair(connections: int) -> list[Step]:
    return [
        Step(_load(f"get_{connections}", [system.BALANCES_PORT], connections)),
        Step(_load(f"minimal_{connections}", MINIMAL_PORTS[:1], connections), is_product=False),
    ]


def _connections(count: int) -> str:
    return "1 connection" if count == 1 else f"{count} connections"


ONE_PROCESS = Benchmark(
    about="GET with one process against the minimal app",
    prepare=partial(_prepared, http_processes=1),
    steps=[step for connections in CONNECTIONS for step in _pair(connections)],
    rows=[
        *(
            Row(f"GET, {_connections(each)}", "req/s", f"get_{each}", f"minimal_{each}", "minimal app", at_least=0.85)
            for each in CONNECTIONS
        ),
        Row("GET, 64 connections, p99", "ms", "get_64_p99", "minimal_64_p99", "minimal app", at_most=1),
        Row("GET, 64 connections against 16", "req/s", "get_64", "get_16", "16 connections", at_least=0.9),
        *(
            Row(f"GET, {_connections(each)}, failed", "responses", f"get_{each}_failed", at_most=0)
            for each in CONNECTIONS
        ),
        Row("GET, 16 connections, p99", "ms", "get_16_p99", "minimal_16_p99", "minimal app"),
    ],
)


def _largest_share(seconds: int) -> Run:
    """The largest share of the connections that one process has, over several tries."""
    return {"largest_share": max(_share_of_one_try() for _ in range(SPREAD_TRIES))}


def _share_of_one_try() -> float:
    """Open connections in one burst, have each answered, and count the connections of each process.

    Waits first until the service has closed earlier connections: the processes would count them, and share the sum.
    """
    eventually(_has_no_connection, system.WAIT_SECONDS, "the end of earlier connections")
    clients = [python_client.Client(system.BALANCES_PORT) for _ in range(SPREAD_CONNECTIONS)]
    try:
        for client in clients:
            client.send(GET.draw())
        for client in clients:
            while client.receive() is None:
                pass
        ours = {client.socket.getsockname()[1] for client in clients}
        counts = [
            sum(1 for each in process.net_connections("tcp") if each.raddr and each.raddr.port in ours)
            for process in system.processes("balances")
        ]
    finally:
        for client in clients:
            client.socket.close()
    if sum(counts) != SPREAD_CONNECTIONS:
        raise SystemExit(f"{sum(counts)} of {SPREAD_CONNECTIONS} connections are known to the processes of Balances")
    return max(counts) / SPREAD_CONNECTIONS


def _has_no_connection() -> bool:
    connections = (each for process in system.processes("balances") for each in process.net_connections("tcp"))
    return not any(each.raddr and each.laddr.port == system.BALANCES_PORT for each in connections)


TWO_PROCESSES = Benchmark(
    about="GET with two processes against two processes of the minimal app",
    prepare=partial(_prepared, http_processes=2),
    steps=[
        Step(_load("two_get_16", [system.BALANCES_PORT] * 2, 16)),
        Step(_load("two_minimal_16", MINIMAL_PORTS, 16), is_product=False),
        Step(_load("two_get_64", [system.BALANCES_PORT] * 2, 64)),
        Step(_load("two_minimal_64", MINIMAL_PORTS, 64), is_product=False),
        Step(_largest_share, fixed_seconds=1, times=0),
    ],
    rows=[
        Row("GET, 2 processes, 16 connections", "req/s", "two_get_16", "two_minimal_16", "minimal app", at_least=0.85),
        Row("GET, 2 processes, 64 connections", "req/s", "two_get_64", "two_minimal_64", "minimal app", at_least=0.85),
        Row(
            f"largest share of {SPREAD_CONNECTIONS} connections in one process, {SPREAD_TRIES} tries",
            "",
            "largest_share",
            at_most=0.7,
            every_run=True,
        ),
    ],
)


def _while_a_backlog_is_consumed(seconds: int) -> Run:
    """Load while Balances consumes a backlog: a larger one if Balances consumed the first before the load ended."""
    _, rate = events.consume(WARM_UP_EVENTS, BACKLOG_ACCOUNTS)
    with closing(system.connect("balances")) as connection:
        for factor in BACKLOG_FACTORS:
            backlog = int(factor * rate * seconds)
            first = system.produce(backlog, BACKLOG_ACCOUNTS)
            events.wait_for_offset(connection, first + 1)
            found = load.run(GET, [system.BALANCES_PORT], 16, seconds)
            lasted = events.stored_offset(connection) < first + backlog
            events.wait_for_offset(connection, first + backlog)
            if lasted:
                return found.values("backlog_get")
    raise SystemExit(f"Balances consumed {backlog} events before a load of {seconds} s ended")


BACKLOG = Benchmark(
    about="GET while Balances consumes a backlog against GET without a backlog",
    prepare=partial(_prepared, http_processes=1),
    steps=[
        Step(_load("idle_get", [system.BALANCES_PORT], 16)),
        Step(_while_a_backlog_is_consumed, fixed_seconds=5, times=5),
    ],
    rows=[
        Row("GET during a backlog, p99", "ms", "backlog_get_p99", "idle_get_p99", "no backlog", at_most=3),
        Row("GET during a backlog", "req/s", "backlog_get", "idle_get", "no backlog"),
        Row("GET during a backlog, failed", "responses", "backlog_get_failed", at_most=0, every_run=True),
    ],
)
