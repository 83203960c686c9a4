"""The load of the bench where wrk is not installed: a closed loop of HTTP clients in one thread.

Each client keeps its connection, and sends a request when it has the response to the previous one.
"""

import selectors
import socket
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.bench.workload import Workload

WAIT_SECONDS = 10


@dataclass
class Outcome:
    """Seconds of the load, seconds of each response, and how often each status came."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.seconds

    @property
    def failed(self) -> int:
        return sum(count for status, count in self.statuses.items() if status >= 400)


def run(workload: Workload, ports: Sequence[int], connections: int, seconds: float) -> Outcome:
    """Send requests over each connection until the time is over. Raises TimeoutError and ConnectionError."""
    outcome, selector = Outcome(), selectors.DefaultSelector()
    for number in range(connections):
        client = Client(ports[number % len(ports)])
        selector.register(client.socket, selectors.EVENT_READ, client)
        client.send(workload.draw())
    started = time.perf_counter()
    waiting = connections
    while waiting:
        if not (ready := selector.select(WAIT_SECONDS)):
            raise TimeoutError(f"no response within {WAIT_SECONDS} s")
        for key, _ in ready:
            client = key.data
            if (status := client.receive()) is None:
                continue
            now = time.perf_counter()
            outcome.latencies.append(now - client.sent_at)
            outcome.statuses[status] += 1
            if now - started < seconds:
                client.send(workload.draw())
            else:
                waiting -= 1
                selector.unregister(client.socket)
                client.socket.close()
    outcome.seconds = time.perf_counter() - started
    selector.close()
    return outcome


class Client:
    """One connection, with at most one request in flight."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), WAIT_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent_at = 0.0
        self._buffer = b""

    def send(self, request: bytes) -> None:
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> int | None:
        """The status of the response, or None while the response is incomplete. Raises ConnectionError."""
        chunk = self.socket.recv(65536)
        if not chunk:
            raise ConnectionError("the server closed a connection before its response was complete")
        self._buffer += chunk
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return None
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        if len(body) < length:
            return None
        self._buffer = b""
        return int(head[9:12])
