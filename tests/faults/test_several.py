"""Several instances of each service: the next leader when one is killed or hangs, and what a zombie can still do."""

import time

import pytest

from tests.eventually import eventually
from tests.faults.proxy import Proxy
from tests.faults.system import PARTITIONS

ELECTION_SECONDS = 12  # until another wallet relays
TAKE_OVER_SECONDS = 8  # until other members read a dead one's partitions
ASLEEP_SECONDS = 15  # longer than the group keeps a silent member, and than MySQL keeps a silent session

pytestmark = pytest.mark.timeout(180, func_only=True)

WALLETS = ("wallet", "wallet-2")
BALANCES = ("balances", "balances-2", "balances-3")


@pytest.mark.parametrize("end", ["kill", "pause"])
def test_another_wallet_becomes_the_leader_after_the_leader_ends(scene, end):
    system = scene.system
    system.cast([*WALLETS, "balances"])
    leader, other = roles(system)
    scene.load(WALLETS)

    getattr(system, end)(leader)
    took = scene.through(wallet=other, limit=ELECTION_SECONDS)

    print(f"\n{end} of the leader: the other wallet's transfers were read after {took:.1f} s")
    if end == "pause":  # the old leader wakes with rows that the other has published meanwhile
        time.sleep(ASLEEP_SECONDS)
        system.resume(leader)
        eventually(lambda: system.ready(leader)[1].get("relay") == "standby", 15, f"{leader} to be on standby")


def test_an_old_leader_that_wakes_with_unsent_events_does_no_harm(scene):
    system = scene.system
    system.cast([*WALLETS, "balances"])
    leader, other = roles(system)
    scene.load(WALLETS)

    system.proxies["kafka"].hang_at(b"BalanceUpdated")
    assert system.proxies["kafka"].sprung(10)
    system.pause(leader)
    system.proxies["kafka"].let_go()
    took = scene.through(wallet=other, limit=ELECTION_SECONDS)
    system.resume(leader)

    print(f"\nthe leader hung while it published: the other wallet's transfers were read after {took:.1f} s")
    eventually(lambda: system.ready(leader)[1].get("relay") == "standby", 15, f"{leader} to be on standby")


def test_accounts_that_a_hung_wallet_holds_are_free_again(scene):
    system = scene.system
    system.cast([*WALLETS, "balances"])
    link = Proxy(system.database_port)
    system.stop("wallet-2")
    system.start("wallet-2", DATABASE_URL=f"mysql://wallet:wallet@127.0.0.1:{link.port}/wallet")
    system.await_ready("wallet-2")

    link.hang_at(b"FROM accounts FORCE INDEX")
    scene.transfer_in_the_background("wallet-2")
    assert link.sprung(10)
    system.pause("wallet-2")
    link.let_go()
    started = time.monotonic()
    eventually(lambda: (answer := scene.transfer()) is not None and answer.status_code == 201, ELECTION_SECONDS, "it")

    print(f"\na hung wallet's accounts were free after {time.monotonic() - started:.1f} s")


def test_members_that_join_and_leave_delay_no_event(scene):
    system = scene.system
    scene.load(balances=BALANCES)

    for number, name in enumerate(BALANCES[1:], start=2):
        system.start(name)
        system.await_ready(name)
        print(f"\n{number} balances over six partitions: {scene.through(limit=TAKE_OVER_SECONDS):.1f} s")
        eventually(lambda number=number: shared(system, number), 15, "partitions for each")
    for number, name in ((2, "balances-3"), (1, "balances-2")):
        assert system.stop(name) == 0
        print(f"one left in order: {scene.through(limit=TAKE_OVER_SECONDS):.1f} s")
        eventually(lambda number=number: shared(system, number), 15, "partitions for each")


@pytest.mark.parametrize("end", ["kill", "pause"])
def test_other_members_take_over_the_partitions_of_one_that_ended(scene, end):
    system = scene.system
    system.cast(["wallet", *BALANCES])
    scene.load(balances=BALANCES)

    getattr(system, end)("balances-2")
    took = scene.through(limit=TAKE_OVER_SECONDS)

    print(f"\n{end} of one of three balances: all partitions were read again after {took:.1f} s")
    if end == "pause":
        time.sleep(ASLEEP_SECONDS - took)
        system.resume("balances-2")  # its partitions belong to others by now
        print(f"the zombie woke: {scene.through(limit=TAKE_OVER_SECONDS):.1f} s")


def test_partitions_that_a_zombie_holds_in_a_transaction_are_taken_over(scene):
    system = scene.system
    system.cast(["wallet", "balances"])
    link = Proxy(system.database_port)
    system.start("balances-2", DATABASE_URL=f"mysql://balances:balances@127.0.0.1:{link.port}/balances")
    system.await_ready("balances-2")
    scene.load(balances=BALANCES[:2])

    link.hang_at(b"INSERT INTO balances")
    assert link.sprung(10)
    system.pause("balances-2")
    link.let_go()
    took = scene.through(limit=TAKE_OVER_SECONDS)

    print(f"\none of two balances hung in the middle of a batch: its partitions were read again after {took:.1f} s")
    time.sleep(ASLEEP_SECONDS)
    system.resume("balances-2")
    print(f"the zombie woke: {scene.through(limit=TAKE_OVER_SECONDS):.1f} s")


def roles(system):
    """(the wallet that relays, the one that does not)"""
    eventually(lambda: "leader" in relays(system), 15, "a leader")
    return sorted(WALLETS, key=lambda name: system.ready(name)[1]["relay"] != "leader")


def relays(system):
    return [system.ready(name)[1].get("relay") for name in WALLETS]


def shared(system, members):
    """Whether so many members share all partitions of the two topics."""
    held = [system.ready(name)[1].get("partitions_consumed", 0) for name in system.services("balances")]
    return len(held) == members and min(held) > 0 and sum(held) == 2 * PARTITIONS
