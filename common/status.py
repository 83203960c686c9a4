"""What a worker last said of itself, readable in every process of its service."""

import mmap
import struct
import time
import zlib

import msgspec

_HEADER = struct.Struct("=II")  # length, CRC 32
_BYTES = 64 * 1024


class Status:
    """A page of memory that processes forked later share. One thread writes it, any may read it."""

    def __init__(self):
        self._memory = mmap.mmap(-1, _BYTES)
        self.write({})

    def write(self, facts):
        """Replace the facts (a dict that JSON can hold, 64 KiB at most)."""
        body = msgspec.json.encode({**facts, "written_at": time.monotonic()})
        self._memory[: _HEADER.size + len(body)] = _HEADER.pack(len(body), zlib.crc32(body)) + body

    def read(self):
        """The facts as last written, with `written_at` on the monotonic clock, which all processes share."""
        while True:  # a reader that meets a half-written page sees it by the CRC and looks again
            length, crc = _HEADER.unpack_from(self._memory)
            body = self._memory[_HEADER.size : _HEADER.size + min(length, _BYTES)]
            if zlib.crc32(body) == crc:
                return msgspec.json.decode(body)

    def age(self):
        """Seconds since the last write."""
        return time.monotonic() - self.read()["written_at"]
