"""Child processes, as a service with several HTTP processes has them."""

import os
from collections.abc import Callable


def fork(work: Callable[[], object]) -> int:
    """Run `work` in a child process and return its pid. The exit code is 0 only if `work` returns."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        work()
        code = 0
    finally:
        os._exit(code)


def succeeds(child: int) -> bool:
    """Wait for the end of the child; whether its exit code was 0."""
    return os.waitpid(child, 0)[1] == 0
