"""Waits for a condition, within a limit."""

import socket
import time
from collections.abc import Callable
from contextlib import closing, suppress


class Unmet(AssertionError):
    """The condition was not met in time."""


def wait_until(condition: Callable[[], object], what: str, seconds: float, *errors: type[Exception]) -> float:
    """Wait for the condition; the given errors count as "not yet". Give the seconds it took."""
    started = time.monotonic()
    while True:
        try:
            if condition():
                return time.monotonic() - started
        except errors as error:
            last = f": {error!r}"
        else:
            last = ""
        if time.monotonic() - started > seconds:
            raise Unmet(f"waited {seconds} s for {what}{last}")
        time.sleep(0.05)


def port_is_open(port: int) -> bool:
    with suppress(OSError), closing(socket.create_connection(("127.0.0.1", port), timeout=1)):
        return True
    return False
