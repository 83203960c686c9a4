"""What a server sends on a connection: read with few system calls, and cut into packets.

Each system call hands the interpreter to another thread, which costs more than the call itself.
"""

import socket
import ssl
import struct

RECEIVE_BYTES = 16 * 1024
LARGEST_PACKET = 0xFFFFFF  # a longer one continues in the next packet
ERROR = 0xFF  # the first byte of a packet that reports an error


class Packets:
    """The socket of a connection as a buffered reader. `read` and `close` are those of a file."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._data, self._position = b"", 0

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes, fewer at the end of the connection. Raises TimeoutError and other OSErrors."""
        while len(self._data) - self._position < size:
            received = self._receive(size)
            if not received:
                break
            self._data, self._position = self._data[self._position :] + received, 0
        begin = self._position
        self._position = min(begin + size, len(self._data))
        return self._data[begin : self._position]

    def next(self, number: int) -> bytes | None:
        """The content of the next packet if all of it was received, it has this number and reports no error."""
        data, begin = self._data, self._position + 4
        if begin >= len(data) or data[begin - 1] != number or data[begin] == ERROR:
            return None
        size = data[begin - 4] | data[begin - 3] << 8 | data[begin - 2] << 16
        end = begin + size
        if end > len(data) or not 0 < size < LARGEST_PACKET:
            return None
        self._position = end
        return data[begin:end]

    def skip(self, expected: bytes) -> bool:
        """Skip these bytes if they are what comes next and all of them were received."""
        if not self._data.startswith(expected, self._position):
            return False
        self._position += len(expected)
        return True

    def mark(self) -> tuple[bytes, int]:
        """The present place, for `since`."""
        return self._data, self._position

    def since(self, mark: tuple[bytes, int]) -> bytes | None:
        """The bytes that were read since then, None if further ones were received meanwhile."""
        data, begin = mark
        return data[begin : self._position] if data is self._data else None

    def close(self) -> None:
        """Forget what was received. The socket is the connection's."""
        self._data, self._position = b"", 0

    def _receive(self, size: int) -> bytes:
        try:
            return self._socket.recv(max(size, RECEIVE_BYTES))
        except BlockingIOError as error:  # how the kernel reports that the time is over
            raise TimeoutError("timed out") from error


def limit_waits(connection: socket.socket, read_seconds: float, write_seconds: float) -> bool:
    """Let the kernel limit how long a call waits; whether it can. Python's own timeout costs a system call each time.

    OpenSSL does not report the kernel's limit: it would read again, for ever.
    """
    if isinstance(connection, ssl.SSLSocket):
        return False
    if connection.gettimeout() is not None:
        connection.settimeout(None)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(write_seconds))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(read_seconds))
    return True


def _timeval(seconds: float) -> bytes:
    return struct.pack("@ll", int(seconds), int(seconds % 1 * 1_000_000))
