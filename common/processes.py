"""The HTTP processes of one service: a parent that only waits, and children that serve."""

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

log = logging.getLogger("runner")


def run_processes(serve: Callable[[int], None], number: int, listener: socket.socket) -> None:
    """Call `serve(index)` in each of `number` child processes; when one ends, for any reason, end the others.

    Closes its own copy of `listener`: otherwise the system would accept connections that no child serves any more.
    Does not return: the exit code is 0 only if SIGTERM or SIGINT requested the end and every child ended with 0. A
    child that did not serve yet may end by SIGTERM instead.
    """
    children = {_fork(serve, index) for index in range(number)}
    listener.close()
    requested = failed = False

    def end(*_: object) -> None:
        nonlocal requested
        requested = True
        _terminate(children)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    while children:
        child, status = os.wait()
        children.discard(child)
        allowed = (0, -signal.SIGTERM) if requested else (0,)
        failed = failed or os.waitstatus_to_exitcode(status) not in allowed
        _terminate(children)
    raise SystemExit(1 if failed or not requested else 0)


def _fork(serve: Callable[[int], None], index: int) -> int:
    parent = os.getpid()
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C also reaches the parent, which sends SIGTERM
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
        serve(index)
        code = 0
    except Exception:
        log.exception("the process could not start")
    finally:
        os._exit(code)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


def _terminate(children: set[int]) -> None:
    for child in list(children):
        with suppress(ProcessLookupError):  # in a signal handler, between os.wait() and its removal from the set
            os.kill(child, signal.SIGTERM)
