"""The main loop of the HTTP server: waits until connections can be read or written.

waitress's own loop checks and registers every open connection at each turn: with 64 of them that takes as long as a
request. This loop keeps the registrations, and checks a connection only after it was active.
"""

import selectors
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

CHECK_ALL_SECONDS = 1  # waitress itself decides to close connections, by their age


class EventLoop:
    """Runs the dispatchers of waitress's `wasyncore`, given by file descriptor. Other threads may call only `check`.

    `handle(dispatcher, events)` is called when one is ready. The one at `always_checked` is checked at each turn.
    """

    def __init__(self, dispatchers: Mapping[int, Any], handle: Callable[[Any, int], None], always_checked: int) -> None:
        self._dispatchers, self._handle = dispatchers, handle
        self._always_checked = always_checked
        self._selector = selectors.DefaultSelector()
        self._registered: dict[int, int] = {}
        self._changed: deque[int] = deque()
        self.wait_seconds: float = CHECK_ALL_SECONDS  # the longest wait; read before each one

    def run(self) -> None:
        check_all_at = 0.0
        while self._dispatchers:
            if time.monotonic() >= check_all_at:
                check_all_at = time.monotonic() + CHECK_ALL_SECONDS
                self._changed.extend(self._dispatchers)
            self._changed.append(self._always_checked)
            while self._changed:
                self._register(self._changed.popleft())
            for key, events in self._selector.select(self.wait_seconds):
                if self._dispatchers.get(key.fd) is key.data:  # otherwise another one closed it in this turn
                    self._changed.append(key.fd)
                    self._handle(key.data, events)

    def check(self, descriptor: int) -> None:
        """Ask this dispatcher again, before the next wait, what it waits for."""
        self._changed.append(descriptor)

    def forget(self, descriptor: int) -> None:
        """End the registration, before the descriptor is closed."""
        if self._registered.pop(descriptor, 0):
            self._selector.unregister(descriptor)

    def _register(self, descriptor: int) -> None:
        dispatcher = self._dispatchers.get(descriptor)
        if dispatcher is None:
            return
        events = selectors.EVENT_READ if dispatcher.readable() else 0
        if dispatcher.writable() and not dispatcher.accepting:
            events |= selectors.EVENT_WRITE
        before = self._registered.get(descriptor, 0)
        if events == before:
            return
        self._registered[descriptor] = events
        if not before:
            self._selector.register(descriptor, events, dispatcher)
        elif events:
            self._selector.modify(descriptor, events, dispatcher)
        else:
            self._selector.unregister(descriptor)
