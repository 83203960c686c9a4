"""The status that a worker last published, readable in every process of its service."""

import mmap
import struct
import time
import zlib
from collections.abc import Mapping
from typing import Any

import msgspec

_HEADER = struct.Struct("=II")  # length, CRC 32
_BYTES = 64 * 1024


class Status:
    """Memory that processes forked later share. One thread writes, any thread may read."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _BYTES)
        self.write({})

    def write(self, facts: Mapping[str, Any]) -> None:
        """Replace the facts: what JSON can hold, 64 KiB at most."""
        body = msgspec.json.encode({**facts, "written_at": time.monotonic()})
        self._memory[: _HEADER.size + len(body)] = _HEADER.pack(len(body), zlib.crc32(body)) + body

    def read(self) -> dict[str, Any]:
        """The facts as last written, with `written_at` on the monotonic clock, which all processes share."""
        while True:  # facts that are half written do not match their CRC: read them again
            length, crc = _HEADER.unpack_from(self._memory)
            body = self._memory[_HEADER.size : _HEADER.size + min(length, _BYTES)]
            if zlib.crc32(body) == crc:
                facts: dict[str, Any] = msgspec.json.decode(body)
                return facts

    def age(self) -> float:
        """Seconds since the last write."""
        return float(time.monotonic() - self.read()["written_at"])
