"""In place of a sleep: wait for a condition, with a limit."""

import time


def eventually(condition, seconds=10):
    """Call `condition()` until it gives something true, and give that; fail after `seconds` with what it gave last."""
    deadline = time.monotonic() + seconds
    while not (outcome := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s; last seen: {outcome!r}"
        time.sleep(0.02)
    return outcome
