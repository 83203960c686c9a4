"""Outages of Kafka and MySQL: nothing is parked, blocks or spins, and both services resume without help."""

import time

import pytest
import requests

from tests.eventually import eventually, seconds_until
from tests.faults.scene import cpu_seconds

BACK_SECONDS = 5
HUNG_SECONDS = 25  # longer than every time-out of the services
OUTAGE_SECONDS = 12
REPORT_SECONDS = 5
BUSY = 0.5  # of a core: more, while there is nothing to do, is a spin

pytestmark = pytest.mark.timeout(180, func_only=True)


@pytest.mark.parametrize("other", ["kafka", "mysql"])
def test_services_that_start_before_it_wait_and_then_work(scene, other):
    system = scene.system
    for name in ("wallet", "balances", other):
        system.stop(name)

    system.start("wallet")
    system.start("balances")
    time.sleep(OUTAGE_SECONDS)
    system.start(other)

    report(f"{other} unavailable at the start", scene.through(limit=BACK_SECONDS))


@pytest.mark.parametrize("other", ["kafka", "mysql"])
def test_work_goes_on_after_it_was_killed_and_started_again(scene, other):
    scene.system.kill(other)
    busy = busy_for(scene.system, OUTAGE_SECONDS)
    scene.system.start(other)

    report(f"{other} unavailable for {OUTAGE_SECONDS} s", scene.through(limit=BACK_SECONDS), busy)
    assert max(busy.values()) < BUSY


@pytest.mark.parametrize("other", ["kafka", "mysql"])
def test_work_goes_on_after_it_hung_longer_than_every_time_out(scene, other):
    scene.system.pause(other)
    busy = busy_for(scene.system, HUNG_SECONDS)
    scene.system.resume(other)

    report(f"{other} hung for {HUNG_SECONDS} s", scene.through(limit=BACK_SECONDS), busy)
    assert max(busy.values()) < BUSY


@pytest.mark.parametrize("how", ["kill", "pause"])
@pytest.mark.parametrize("other", ["kafka", "mysql"])
@pytest.mark.parametrize("service", ["wallet", "balances"])
def test_an_idle_service_reports_an_outage_and_its_end_in_time(scene, service, other, how):
    system = scene.system
    eventually(lambda: system.ready(service)[1].get(other) == "up", REPORT_SECONDS, f"{service} to report {other} up")

    getattr(system, how)(other)
    noticed = seconds_until(
        lambda: system.ready(service)[1].get(other) == "down", REPORT_SECONDS, f"{service} to report {other} down"
    )
    if how == "kill":
        system.start(other)
    else:
        system.resume(other)
    back = seconds_until(
        lambda: system.ready(service)[1].get(other) == "up", REPORT_SECONDS, f"{service} to report it up"
    )

    print(f"\n{other} {how}: {service} reported it after {noticed:.1f} s, and its return after {back:.1f} s")


@pytest.mark.parametrize("other", ["kafka", "mysql"])
def test_nothing_is_lost_when_it_hangs_under_load(scene, other):
    scene.load()

    scene.system.pause(other)
    time.sleep(HUNG_SECONDS)
    scene.system.resume(other)

    report(f"{other} hung for {HUNG_SECONDS} s under load", scene.through(limit=BACK_SECONDS))


def test_without_kafka_transfers_are_stored_and_balances_are_served(scene):
    scene.system.kill("kafka")

    answers = [scene.transfer() for _ in range(20)]

    assert {answer.status_code for answer in answers} == {201}
    assert requests.get(f"{scene.system.url('balances')}/balances/{scene.account}", timeout=5).status_code == 200
    assert scene.system.ready("wallet")[0] == 200


def test_without_mysql_both_services_answer_503_with_retry_after(scene):
    scene.system.kill("mysql")

    answers = [
        scene.transfer(),
        requests.get(f"{scene.system.url('balances')}/balances/{scene.account}", timeout=5),
    ]

    for answer in answers:
        assert answer.status_code == 503
        assert "Retry-After" in answer.headers
    assert [scene.system.ready(name)[0] for name in ("wallet", "balances")] == [503, 503]


def busy_for(system, seconds):
    """Let the outage last; return how much of a core each service used meanwhile."""
    before = {name: cpu_seconds(system.pid(name)) for name in system.services()}
    time.sleep(seconds)
    return {name: round((cpu_seconds(system.pid(name)) - used) / seconds, 3) for name, used in before.items()}


def report(what, seconds, busy=None):
    print(f"\n{what}: work went on {seconds:.1f} s after its return" + (f"; of a core: {busy}" if busy else ""))
