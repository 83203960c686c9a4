"""Two wallets and two Balances on different nodes of a MariaDB Galera cluster, many clients on few accounts."""

import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.faults import scene as scenes
from tests.faults.clients import NO_RESPONSE, Load
from tests.faults.galera import Galera
from tests.faults.pairs import check_pairs
from tests.faults.scene import Scene, Stage
from tests.faults.system import System

WALLETS, BALANCES = ("wallet", "wallet-2"), ("balances", "balances-2")
HOT_ACCOUNTS, CLIENTS, PAUSE_SECONDS = 10, 8, 0.005
BACK_SECONDS = 10  # after a node was killed
SAMPLE_SECONDS = 0.3

pytestmark = pytest.mark.timeout(900, func_only=True)


@pytest.fixture(scope="module")
def stage(cluster: Galera) -> Iterator[Stage]:
    with scenes.stage(cluster) as stage:
        yield stage


def test_a_transaction_that_another_node_rolls_back_is_committed_completely_or_not_at_all(cluster: Galera) -> None:
    """Without a packet for each statement, MariaDB continues a packet whose transaction it rolled back."""
    check_pairs([node.port for node in cluster.nodes[:2]])


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
