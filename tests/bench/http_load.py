"""A closed loop of HTTP clients in one thread: each keeps its connection and sends when it has its answer."""

import selectors
import socket
import time
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Load:
    """What came of it: seconds in all, seconds of each answer, and how often each status."""

    seconds: float = 0.0
    latencies: list = field(default_factory=list)
    statuses: Counter = field(default_factory=Counter)

    @property
    def per_second(self):
        return len(self.latencies) / self.seconds

    def percentile_ms(self, percent):
        ordered = sorted(self.latencies)
        return 1000 * ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def run(port, next_request, connections, seconds):
    """Send `next_request()`, the bytes of a whole request, over each connection until the time is over."""
    load, selector = Load(), selectors.DefaultSelector()
    for _ in range(connections):
        client = _Client(socket.create_connection(("127.0.0.1", port)))
        selector.register(client.socket, selectors.EVENT_READ, client)
        client.send(next_request())
    started = time.perf_counter()
    waiting = connections
    while waiting:
        for key, _ in selector.select(timeout=30):
            client = key.data
            if (status := client.receive()) is None:
                continue
            now = time.perf_counter()
            load.latencies.append(now - client.sent_at)
            load.statuses[status] += 1
            if now - started < seconds:
                client.send(next_request())
            else:
                waiting -= 1
                selector.unregister(client.socket)
                client.socket.close()
    load.seconds = time.perf_counter() - started
    return load


def get(path):
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()


def post(path, body):
    return f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


class _Client:
    def __init__(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = connection
        self._buffer = b""

    def send(self, request):
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def receive(self):
        """The status of the answer, or None while it is not complete."""
        chunk = self.socket.recv(65536)
        if not chunk:
            raise ConnectionError("the server closed a connection in the middle")
        self._buffer += chunk
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return None
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        if len(body) < length:
            return None
        self._buffer = b""
        return int(head[9:12])
