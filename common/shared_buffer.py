"""A buffer in memory that the processes of a service share."""

import mmap
import struct
import zlib

_HEADER = struct.Struct("=II")  # length, CRC 32


class SharedBuffer:
    """Shared memory: create it before the processes are forked. One thread writes, any thread may read."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._memory = mmap.mmap(-1, _HEADER.size + size)

    def write(self, body: bytes) -> None:
        """Replace the content. Raises IndexError, and changes nothing, if it is larger than the buffer."""
        self._memory[: _HEADER.size + len(body)] = _HEADER.pack(len(body), zlib.crc32(body)) + body

    def read(self) -> bytes:
        """The content as last written, empty before the first write."""
        while True:  # a half-written buffer does not match its CRC: read it again
            length, crc = _HEADER.unpack_from(self._memory)
            body = self._memory[_HEADER.size : _HEADER.size + min(length, self._size)]
            if zlib.crc32(body) == crc:
                return body
