"""A primary and its replica, both in the services' list of hosts: a read-only switch, and a promotion with losses."""

import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.eventually import eventually
from tests.faults import replication
from tests.faults import scene as scenes
from tests.faults.quiet import await_quiet
from tests.faults.replication import Pair
from tests.faults.scene import Scene, Stage
from tests.faults.system import ROOT, System

BACK_SECONDS = 10

pytestmark = pytest.mark.timeout(240, func_only=True)


@pytest.fixture(scope="module", params=[replication.MARIADB, replication.MYSQL], ids=["mariadb", "mysql"])
def servers(
    request: pytest.FixtureRequest, system_to_break: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    if reason := request.param.missing():
        pytest.skip(reason)
    with replication.pair(request.param, tmp_path_factory.mktemp("pair"), System().database_port + 4) as pair:
        yield pair


@pytest.fixture(scope="module")
def stage(servers: Pair) -> Iterator[Stage]:
    with scenes.stage(servers) as stage:
        yield stage


def test_services_go_on_after_the_primary_was_read_only_for_a_while(scene: Scene, servers: Pair) -> None:
    scene.load(copies=False)

    servers.primary.execute("SET GLOBAL read_only = 1")
    time.sleep(3)
    servers.primary.execute("SET GLOBAL read_only = 0")

    print(f"\nread-only for 3 s: work went on {scene.through(limit=BACK_SECONDS):.1f} s after it")


# The last one: afterwards the primary is gone, and what was lost is not promised.
def test_after_the_promotion_of_a_lagging_replica_an_announcement_makes_both_sides_equal(
    stage: Stage, servers: Pair
) -> None:
    system, accounts, _ = stage
    scene = Scene(*stage)
    scene.through()
    await_quiet(system)
    servers.let_the_replica_lag()
    lost = accounts[20:30]
    for account in lost:
        assert (response := scene.transfer(source=account)) is not None
        assert response.status_code == 201
    await_quiet(system)

    servers.promote()
    took = scene.through(limit=BACK_SECONDS)
    eventually(lambda: system.ready("wallet")[1].get("announce_required"), BACK_SECONDS, "announce_required")
    # Balances is restored to the same moment, and reads the events again that the wallet has lost.
    eventually(lambda: set(lost) <= differences(system).keys(), 15, "Balances to read the lost events again")
    run(system, "wallet", "announce")
    eventually(lambda: not differences(system), 30, "an announcement of every account")
    run(system, "balances", "reconcile", "--wallet-url", system.url("wallet"))

    print(f"\npromoted: work went on after {took:.1f} s; {len(lost)} accounts differed until they were announced")
    assert not system.ready("wallet")[1]["announce_required"]


def differences(system: System) -> dict[str, tuple[object, object]]:
    wallet = dict(system.rows("wallet", "SELECT id, balance FROM accounts"))
    balances = dict(system.rows("balances", "SELECT account_id, balance FROM balances"))
    return {each: (wallet[each], balances.get(each)) for each in wallet if wallet[each] != balances.get(each)}


def run(system: System, service: str, *arguments: str) -> None:
    command = ["bash", "entrypoint.sh", service, *arguments]
    environment = system.environment_of(service)
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    print(f"\n{' '.join(arguments)}: exit code {done.returncode}: {done.stdout[-300:]}")
    assert done.returncode == 0, done.stdout + done.stderr
