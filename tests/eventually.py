"""In place of a sleep: wait for a condition, with a limit."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_INTERVAL_SECONDS = 0.02


class Unmet(AssertionError):
    """The condition was not met in time."""


def eventually(
    condition: Callable[[], T],
    seconds: float = 10,
    what: str = "",
    errors: tuple[type[Exception], ...] = (),
    every: float = POLL_INTERVAL_SECONDS,
) -> T:
    """Call `condition()` until it returns something true, and return that; each of the `errors` counts as "not yet".

    Raises Unmet after `seconds`, with the last result or error. `every`: seconds between two calls.
    """
    deadline = time.monotonic() + seconds
    while True:
        last: object
        try:
            if outcome := condition():
                return outcome
            last = outcome
        except errors as error:
            last = error
        if time.monotonic() >= deadline:
            raise Unmet(f"not within {seconds} s{what and f': {what}'}; last seen: {last!r}")
        time.sleep(every)


def seconds_until(condition: Callable[[], object], seconds: float, what: str = "") -> float:
    """Wait as `eventually` does; return how many seconds it took."""
    started = time.monotonic()
    eventually(condition, seconds, what)
    return time.monotonic() - started
