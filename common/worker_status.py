"""What a worker last reported of itself, readable in every process of its service. HTTP statuses: common.json_api."""

import time
from collections.abc import Mapping
from typing import Any

import msgspec

from common.shared_buffer import SharedBuffer

_BYTES = 64 * 1024


class WorkerStatus:
    """Shared memory: create it before the processes are forked. One thread writes, any thread may read."""

    def __init__(self) -> None:
        self._buffer = SharedBuffer(_BYTES)
        self.write({})

    def write(self, facts: Mapping[str, Any]) -> None:
        """Replace the facts: what JSON can hold, 64 KiB at most."""
        self._buffer.write(msgspec.json.encode({**facts, "written_at": time.monotonic()}))

    def read(self) -> dict[str, Any]:
        """The facts as last written, with `written_at` on the monotonic clock, which all processes share."""
        facts: dict[str, Any] = msgspec.json.decode(self._buffer.read())
        return facts

    def age(self) -> float:
        """Seconds since the last write."""
        return float(time.monotonic() - self.read()["written_at"])
