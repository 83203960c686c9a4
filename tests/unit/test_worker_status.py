"""The status that a worker reports, and the call that wakes it up: both reach every process of a service."""

import os
import time

import pytest

from common.wakeup import WakeupEvent
from common.worker_status import WorkerStatus
from tests.child_process import fork, succeeds


def test_what_is_written_is_read():
    status = WorkerStatus()

    status.write({"consumer": "consuming", "lag": 3, "partitions": [{"topic": "balances"}]})

    facts = status.read()
    del facts["written_at"]
    assert facts == {"consumer": "consuming", "lag": 3, "partitions": [{"topic": "balances"}]}


def test_a_shorter_status_leaves_nothing_of_a_longer_one():
    status = WorkerStatus()

    status.write({"failing": "x" * 1000})
    status.write({"lag": 0})

    assert status.read().keys() == {"lag", "written_at"}


def test_a_worker_that_never_wrote_has_an_empty_status_and_an_age():
    status = WorkerStatus()

    assert status.read().keys() == {"written_at"}
    assert 0 <= status.age() < 60


def test_each_write_begins_a_new_age():
    status = WorkerStatus()
    before = time.monotonic()

    status.write({})

    assert before <= status.read()["written_at"] <= time.monotonic()


def test_what_one_process_writes_another_reads():
    status = WorkerStatus()

    assert succeeds(fork(lambda: status.write({"lag": 7})))

    assert status.read()["lag"] == 7


def test_a_reader_in_another_process_never_sees_half_of_a_write():
    status = WorkerStatus()
    status.write({"text": "a"})

    def write():
        for n in range(2000):
            status.write({"text": "ab"[n % 2] * 60_000})

    writer = fork(write)
    texts = []
    while os.waitpid(writer, os.WNOHANG) == (0, 0):
        texts.append(status.read()["text"])

    assert len(texts) > 10
    assert all(len(set(text)) == 1 for text in texts)


def test_more_than_the_page_holds_is_an_error_and_not_a_torn_status():
    status = WorkerStatus()
    status.write({"lag": 7})

    with pytest.raises((ValueError, IndexError)):
        status.write({"text": "x" * 70_000})

    assert status.read()["lag"] == 7


# ---- the wake-up call


def wakes_up(wakeup):
    started = time.monotonic()
    wakeup.wait(10)
    return time.monotonic() - started < 5


def sleeps(wakeup):
    started = time.monotonic()
    wakeup.wait(0.05)
    return time.monotonic() - started >= 0.05


def test_a_notification_from_before_the_wait_ends_it_at_once_and_only_once():
    wakeup = WakeupEvent()

    wakeup.notify()

    assert wakes_up(wakeup)
    assert sleeps(wakeup)


def test_any_number_of_notifications_is_one_wake_up_and_notifying_never_waits():
    wakeup = WakeupEvent()

    for _ in range(70_000):  # more than a pipe holds
        wakeup.notify()

    assert wakes_up(wakeup)
    assert sleeps(wakeup)


def test_a_notification_reaches_another_process():
    wakeup = WakeupEvent()

    assert succeeds(fork(wakeup.notify))

    assert wakes_up(wakeup)
