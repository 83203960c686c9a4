"""A connection cut at the worst moments, and processes killed under load: nothing is lost or counted twice."""

import time

import pytest

from tests.faults.plan import MOMENTS

BACK_SECONDS = 5

pytestmark = pytest.mark.timeout(120, func_only=True)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_connection_cut_at_this_moment_loses_and_doubles_nothing(scene, moment):
    words, delivered, link = MOMENTS[moment]
    scene.load()

    for _ in range(5):
        scene.system.proxies[link].cut_at(words, delivered)
        assert scene.system.proxies[link].sprung(seconds=10)

    print(f"\n{moment}: work went on {scene.through(limit=BACK_SECONDS):.1f} s after the fifth cut")


@pytest.mark.parametrize("name", ["wallet", "balances", "kafka", "mysql"])
def test_sigkill_under_load_loses_and_doubles_nothing(scene, name):
    scene.load()

    for _ in range(3):
        scene.system.kill(name)
        scene.system.start(name)
        if name in ("wallet", "balances"):
            scene.system.await_ready(name)
        time.sleep(2)

    print(f"\n{name} killed three times: work went on {scene.through(limit=BACK_SECONDS):.1f} s after it was back")


@pytest.mark.parametrize("name", ["wallet", "balances"])
def test_sigterm_under_load_ends_in_order(scene, name):
    load = scene.load()

    started = time.monotonic()
    code = scene.system.stop(name)
    took = time.monotonic() - started
    scene.system.start(name)
    scene.system.await_ready(name)

    print(f"\n{name} ended {took:.1f} s after SIGTERM")
    assert code == 0
    assert took < 8
    assert not [status for status in load.statuses if status >= 500]
