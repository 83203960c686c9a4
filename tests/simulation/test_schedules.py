"""Many seeded schedules of the real steps between fakes; see world.py."""

import gc
import os
import weakref

import pytest

from tests.simulation.broken import NAMES
from tests.simulation.world import World

BLOCKS, SCHEDULES = 10, int(os.environ.get("SIMULATION_SCHEDULES", "1000"))


@pytest.mark.parametrize("block", range(BLOCKS))
def test_every_schedule_keeps_the_promises(block):
    for seed in range(block, SCHEDULES, BLOCKS):
        try:
            World(seed).run()
        except Exception as error:
            error.add_note(f"python -m tests.simulation --seed {seed} --schedules 1 repeats it")
            raise


def test_the_same_seed_gives_the_same_schedule():
    first, second = World(7), World(7)

    first.run()
    second.run()

    assert first.wallet.tables == second.wallet.tables
    assert first.broker.transactions == second.broker.transactions
    assert first.read_model.committed == second.read_model.committed


def test_a_world_that_has_ended_is_not_kept_in_memory():
    worlds = []
    for seed in range(20):
        world = World(seed)
        world.run()
        worlds.append(weakref.ref(world))
    del world
    gc.collect()

    assert [world for world in worlds if world()] == []


@pytest.mark.parametrize("name", NAMES)
def test_the_promises_notice_the_damage_of_a_wrong_version(name):
    """Proves the promises. The wrong version is in the simulation: see broken.py."""
    with pytest.raises(AssertionError):
        run_schedules(200, broken={name})


def run_schedules(number, broken):
    for seed in range(number):
        World(seed, broken=broken).run()
