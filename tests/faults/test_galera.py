"""Two wallets and two Balances on different nodes of a MariaDB Galera cluster, many clients on few accounts."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pymysql
import pytest

from common.mysql import Conflict, Cursor, Database
from tests.faults import galera
from tests.faults import scene as scenes
from tests.faults.clients import NO_RESPONSE, Load
from tests.faults.galera import Galera
from tests.faults.scene import Scene, Stage
from tests.faults.system import System
from tests.faults.waiting import wait_until

WALLETS, BALANCES = ("wallet", "wallet-2"), ("balances", "balances-2")
HOT_ACCOUNTS, CLIENTS, PAUSE_SECONDS = 10, 8, 0.005
BACK_SECONDS = 10  # after a node was killed
SAMPLE_SECONDS = 0.3
WRITERS, PAIRS = 3, 60  # threads for each node, transactions for each thread

pytestmark = pytest.mark.timeout(900, func_only=True)


@pytest.fixture(scope="module")
def cluster(system_to_break: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Galera]:
    if reason := galera.missing():
        pytest.skip(reason)
    with galera.cluster(tmp_path_factory.mktemp("galera"), System().database_port + 4) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def stage(cluster: Galera) -> Iterator[Stage]:
    with scenes.stage(cluster) as stage:
        yield stage


def test_a_transaction_that_another_node_rolls_back_is_committed_completely_or_not_at_all(cluster: Galera) -> None:
    """A row and a counter of the rows, written on two nodes. Without a packet for each statement, MariaDB goes on with
    a packet whose transaction it rolled back, and the two numbers differ."""
    nodes = [Database(f"mysql://tests:tests@127.0.0.1:{node.port}/wallet_test") for node in cluster.nodes[:2]]
    with nodes[0].transaction() as cursor:
        cursor.execute("CREATE TABLE pairs (id CHAR(36) PRIMARY KEY) ENGINE = InnoDB")
        cursor.execute("CREATE TABLE counter (n INT PRIMARY KEY) ENGINE = InnoDB")
        cursor.execute("INSERT INTO counter VALUES (0)")
    rows = "SELECT COUNT(*) FROM counter"
    wait_until(lambda: nodes[1].read(only_value, rows) == 1, "the tables", BACK_SECONDS, pymysql.Error)

    with ThreadPoolExecutor(2 * WRITERS) as threads:
        conflicts = sum(threads.map(count_pairs, nodes * WRITERS))

    print(f"\n{conflicts} conflicts of {2 * WRITERS * PAIRS} transactions on two nodes")
    assert conflicts
    written = 2 * WRITERS * PAIRS
    wait_until(
        lambda: [counts(node) for node in nodes] == [(written, written)] * 2,
        f"{written} pairs and the same counter on both nodes",
        BACK_SECONDS,
    )


def test_transfers_on_all_nodes_are_never_refused_and_one_relay_is_the_leader(
    scene: Scene, runs: int, run_seconds: float
) -> None:
    scene.system.cast([*WALLETS, *BALANCES])

    for run in range(1, runs + 1):
        repeats = scene.verdict.ledger.repeats
        leaders = Leaders(scene.system)
        load = hot_load(scene)
        time.sleep(run_seconds)
        load.stop()
        seen = leaders.stop()
        scene.check()

        repeats = scene.verdict.ledger.repeats - repeats
        print(f"\nrun {run}: {dict(load.statuses)}, relays {dict(seen)}, {repeats} transfers published twice")
        assert not [status for status in load.statuses if status >= 500 or status == NO_RESPONSE]
        assert not [transfer for transfer in load.history if transfer.outcome == "unknown"]
        assert list(seen) in ([("leader", "standby")], [("standby", "leader")])
        assert not repeats


def test_the_services_go_on_when_a_node_is_killed(scene: Scene, cluster: Galera, runs: int, run_seconds: float) -> None:
    scene.system.cast([*WALLETS, *BALANCES])

    for node in cluster.nodes[:runs]:
        load = hot_load(scene)
        time.sleep(run_seconds / 4)
        cluster.kill(node)
        took = max(
            scene.through(wallet, balances, BACK_SECONDS) for wallet, balances in zip(WALLETS, BALANCES, strict=True)
        )
        print(f"\nnode {node.number} killed: transfers were stored and read again after {took:.1f} s")
        cluster.restart(node)
        print(f"the node was back after {cluster.await_synced():.1f} s; responses {dict(load.statuses)}")
        time.sleep(run_seconds / 4)
        load.stop()
        scene.check()


def count_pairs(node: Database) -> int:
    """Add PAIRS pairs to the table, each in a transaction; give how often a conflict repeated one."""
    conflicts = 0
    for _ in range(PAIRS):
        done = False
        while not done:
            try:
                with node.transaction() as cursor:
                    cursor.queue("UPDATE counter SET n = n + 1")
                    for _ in range(10):  # moments at which the node may roll the transaction back
                        cursor.queue("DO SLEEP(0.0005)")
                    cursor.queue("INSERT INTO pairs VALUES (%s)", (str(uuid4()),))
                done = True
            except Conflict:
                conflicts += 1
    return conflicts


def counts(node: Database) -> tuple[int, int]:
    return node.read(only_value, "SELECT COUNT(*) FROM pairs"), node.read(only_value, "SELECT n FROM counter")


def only_value(cursor: Cursor, statement: str) -> int:
    cursor.execute(statement)
    ((value,),) = cursor.fetchall()
    return int(value)


def hot_load(scene: Scene) -> Load:
    return scene.load(
        WALLETS, BALANCES, copies=False, accounts=scene.accounts[:HOT_ACCOUNTS], clients=CLIENTS, pause=PAUSE_SECONDS
    )


class Leaders:
    """What the relays of both wallets report, sampled until `stop`."""

    def __init__(self, system: System) -> None:
        self._system, self._stop = system, threading.Event()
        self._seen: Counter[tuple[str, ...]] = Counter()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> Counter[tuple[str, ...]]:
        self._stop.set()
        self._thread.join()
        return self._seen

    def _run(self) -> None:
        while not self._stop.wait(SAMPLE_SECONDS):
            self._seen[tuple(str(self._system.ready(name)[1].get("relay")) for name in WALLETS)] += 1
