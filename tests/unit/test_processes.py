"""The parent of several HTTP processes: real processes, real signals."""

import os
import signal
import socket

import pytest

from common.processes import run_processes
from tests.child_process import fork, succeeds


def parent_of(serve, announce):
    """Run `serve` in two processes, and write to `announce` once their parent handles signals."""

    def parent():
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # as in a new process: another test may have left a handler
        wait = os.wait
        os.wait = lambda: (os.write(announce, b"."), wait())[1]  # in this process alone
        try:
            run_processes(serve, 2, socket.socket())
        except SystemExit as end:
            if end.code != 0:
                raise

    return fork(parent)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_before_the_children_handle_signals_is_no_failure(number):
    waits, announce = os.pipe()
    parent = parent_of(lambda index: signal.pause(), announce)
    os.read(waits, 1)

    os.kill(parent, number)

    assert succeeds(parent)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_child_that_is_killed_though_no_stop_was_requested_is_a_failure(number):
    waits, announce = os.pipe()
    parent = parent_of(lambda index: os.kill(os.getpid(), number) if index else signal.pause(), announce)
    os.read(waits, 1)

    assert not succeeds(parent)
