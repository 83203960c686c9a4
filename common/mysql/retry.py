"""Retries of a transaction that another transaction was in the way of."""

import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from common.mysql.errors import Conflict

CONFLICT_TRIES, CONFLICT_SECONDS = 20, 5
BACKOFF_SECONDS, BACKOFF_LIMIT_SECONDS = 0.002, 0.1

T = TypeVar("T")


def repeat_on_conflict(work: Callable[[], T], seconds: float = CONFLICT_SECONDS) -> T:
    """Call `work()`, one complete transaction, until it ends without a conflict; raise the last Conflict.

    At most CONFLICT_TRIES calls, and at most one after `seconds`: a conflict may be a lock wait that timed out.
    """
    pause, deadline = BACKOFF_SECONDS, time.monotonic() + seconds
    for _ in range(CONFLICT_TRIES - 1):
        with suppress(Conflict):
            return work()
        if time.monotonic() > deadline:
            break
        time.sleep(random.uniform(0, pause))  # two transactions that met would otherwise meet again
        pause = min(2 * pause, BACKOFF_LIMIT_SECONDS)
    return work()
