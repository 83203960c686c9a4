"""A notification wakes the waiting thread; those that nobody has waited for since add nothing."""

import os
import time

import pytest

from common.wakeup import WakeupEvent

LONG_SECONDS = 30


@pytest.mark.timeout(10)
def test_each_notification_after_a_wait_ends_the_next_wait():
    wakeup = WakeupEvent()

    for _ in range(3):
        wakeup.notify()
        wakeup.wait(LONG_SECONDS)


def test_notifications_in_a_row_are_one():
    wakeup = WakeupEvent()
    for _ in range(3):
        wakeup.notify()

    assert os.read(wakeup._reader, 100) == b"!"


@pytest.mark.timeout(10)
def test_a_notification_that_was_never_written_blocks_no_later_one_after_a_wait_that_ran_out():
    wakeup = WakeupEvent()
    wakeup.notify()
    os.read(wakeup._reader, 100)  # as if the process had ended between the mark and the write

    wakeup.wait(0)
    wakeup.notify()

    wakeup.wait(LONG_SECONDS)


def test_a_wait_without_a_notification_lasts_its_time():
    started = time.monotonic()

    WakeupEvent().wait(0.05)

    assert time.monotonic() - started >= 0.05
