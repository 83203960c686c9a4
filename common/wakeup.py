"""A notification from any thread of any process of a service to the one thread that waits for it."""

import mmap
import os
import select
from contextlib import suppress


class WakeupEvent:
    """A pipe that the processes of a service share: create the event before the processes are forked."""

    def __init__(self) -> None:
        self._notified = mmap.mmap(-1, 1)  # 1 while a notification waits in the pipe: another one would add nothing
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)

    def notify(self) -> None:
        """Wake the waiting thread, or let its next `wait` return at once. Never blocks."""
        if self._notified[0]:
            return
        self._notified[0] = 1
        with suppress(BlockingIOError):  # the pipe is full, so it wakes the waiting thread anyway
            os.write(self._writer, b"!")

    def wait(self, seconds: float) -> None:
        """Return once it was notified since the last wait, or after `seconds`."""
        if select.select([self._reader], [], [], seconds)[0]:
            os.read(self._reader, 65536)
        # After the read, and before the caller checks for work. A later notification is written to the pipe. An earlier
        # one announced work that the caller finds.
        self._notified[0] = 0
