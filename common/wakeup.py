"""A wake-up call that any thread of any process of a service may send and one thread waits for."""

import os
import select
from contextlib import suppress


class WakeupEvent:
    """A pipe that the processes of a service share: create the event before the processes are forked."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)

    def notify(self) -> None:
        with suppress(BlockingIOError):  # the pipe is full: the waiting thread will wake up all the same
            os.write(self._writer, b"!")

    def wait(self, seconds: float) -> None:
        """Return once it was notified since the last wait, or after `seconds`."""
        if select.select([self._reader], [], [], seconds)[0]:
            os.read(self._reader, 65536)
