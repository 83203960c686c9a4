"""A bell that any thread of any process of a service may ring and one thread waits for."""

import os
import select
from contextlib import suppress


class Bell:
    def __init__(self):
        self._listening, self._ringing = os.pipe()
        os.set_blocking(self._listening, False)
        os.set_blocking(self._ringing, False)

    def ring(self):
        with suppress(BlockingIOError):  # the pipe is full: it rings already
            os.write(self._ringing, b"!")

    def wait(self, seconds):
        """Return once it has rung since the last wait, or after `seconds`."""
        if select.select([self._listening], [], [], seconds)[0]:
            os.read(self._listening, 65536)
