"""How a worker that fails is restarted and logged."""

import logging
import threading
from collections.abc import Callable

import pytest

from common.runner import RECOVERED_SECONDS, Supervision, Worker
from common.worker_status import WorkerStatus

FAILED, RECOVERED = "worker failed: restarting it", "worker has recovered"


class Turns:
    """A worker that does one thing after the other; the last one ends it. Serves as the stop event too."""

    def __init__(self, *turns: Callable[[], object]) -> None:
        self._turns = list(turns)

    def run(self, stop: threading.Event) -> None:
        self._turns.pop(0)()

    def is_set(self) -> bool:
        return not self._turns

    def wait(self, seconds: float) -> None:
        pass


class Clock:
    now = 1_000.0  # not 0, which is also the time of a failure that was never noted

    def __call__(self) -> float:
        return self.now


def failing(error: Exception) -> Callable[[], object]:
    def fail() -> None:
        raise error

    return fail


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def supervise(clock: Clock, caplog: pytest.LogCaptureFixture) -> Callable[..., Supervision]:
    """Runs a worker with these turns to its end."""
    caplog.set_level(logging.INFO, logger="runner")
    status = WorkerStatus()

    def supervise(*turns: Callable[[], object]) -> Supervision:
        worker = Turns(*turns)
        supervision = Supervision(Worker("any", worker.run, status), clock)
        supervision.run(worker)  # type: ignore[arg-type]
        return supervision

    return supervise


def test_a_failure_that_repeats_is_logged_once_with_its_stack(
    supervise: Callable[..., Supervision], caplog: pytest.LogCaptureFixture
) -> None:
    supervision = supervise(*[failing(KeyError("x"))] * 5)

    assert [(line.message, bool(line.exc_info)) for line in caplog.records] == [(FAILED, True)]
    assert supervision.status.read()["failing"] == "'x'"


def test_another_failure_is_logged_too(supervise: Callable[..., Supervision], caplog: pytest.LogCaptureFixture) -> None:
    supervise(failing(OSError("x")), failing(OSError("x")), failing(OSError("y")), failing(ValueError("y")))

    assert [line.message for line in caplog.records] == [FAILED] * 3


def test_the_end_of_the_failures_is_logged_once_with_their_number(
    supervise: Callable[..., Supervision], clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    supervision = supervise(*[failing(KeyError("x"))] * 3)
    clock.now += RECOVERED_SECONDS
    supervision.note_recovery()  # the worker has not reported anything yet
    early = [line.message for line in caplog.records]
    supervision.status.write({"consumer": "consuming"})
    supervision.note_recovery()
    supervision.note_recovery()

    assert early == [FAILED]
    assert [line.message for line in caplog.records] == [FAILED, RECOVERED]
    assert caplog.records[1].failures == 3  # type: ignore[attr-defined]


def test_a_worker_that_fails_again_soon_has_not_recovered(
    supervise: Callable[..., Supervision], clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    supervision = supervise(failing(KeyError("x")))
    supervision.status.write({"consumer": "consuming"})
    clock.now += RECOVERED_SECONDS - 1
    supervision.note_recovery()

    assert [line.message for line in caplog.records] == [FAILED]


def test_a_failure_that_returns_after_a_recovery_is_logged_again(
    supervise: Callable[..., Supervision], clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    reported: list[Supervision] = []

    def recover() -> None:
        reported[0].status.write({"consumer": "consuming"})
        clock.now += RECOVERED_SECONDS
        reported[0].note_recovery()

    status = WorkerStatus()
    worker = Turns(failing(KeyError("x")), recover, failing(KeyError("x")))
    reported.append(Supervision(Worker("any", worker.run, status), clock))
    reported[0].run(worker)  # type: ignore[arg-type]

    assert [line.message for line in caplog.records if line.message != RECOVERED] == [FAILED] * 2
