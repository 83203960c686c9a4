"""Writes lines to a file descriptor without waiting for its reader."""

import os
import select
import stat
import threading


class Output:
    """A file descriptor that takes a line at once or not at all.

    A pipe takes up to PIPE_BUF bytes in one piece, also from several processes. `limit` is that number, or None where
    a line may have any length.
    """

    def __init__(self, descriptor: int) -> None:
        mode = os.fstat(descriptor).st_mode
        self.limit = select.PIPE_BUF if stat.S_ISFIFO(mode) else None
        self._descriptor = descriptor
        self._poll: select.poll | None = None
        self._rest = b""  # of a line that was cut short, as on a full disk
        self._lock = threading.Lock()
        if stat.S_ISFIFO(mode):
            self._descriptor = _opened_without_waiting(descriptor) or descriptor
        if self._descriptor == descriptor and not stat.S_ISREG(mode):  # writing to a file never waits for a reader
            self._poll = select.poll()
            self._poll.register(descriptor, select.POLLOUT)

    def write(self, line: bytes) -> bool:
        """Write the line; False when it cannot be written now. Several threads may call this."""
        with self._lock:
            if self._rest:
                self._rest = self._rest[self._write(self._rest) :]
                if self._rest:
                    return False
            written = self._write(line)
            if 0 < written < len(line):
                self._rest = line[written:]
            return written > 0

    def _write(self, data: bytes) -> int:
        try:
            if self._poll and not self._poll.poll(0):
                return 0
            return os.write(self._descriptor, data)
        except OSError:  # the pipe is full, nobody reads it any more, or the disk is full
            return 0


def _opened_without_waiting(descriptor: int) -> int | None:
    """A second descriptor of the same pipe, so that O_NONBLOCK does not affect the programs that share the first.

    None where the system cannot do that: only Linux has /proc.
    """
    try:
        return os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
