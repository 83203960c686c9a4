"""The most recent events of a worker, readable in every process of its service."""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from common.json_text import to_json
from common.shared_buffer import SharedBuffer

LIMIT = 100
_BYTES = 256 * 1024
_TEXT_CHARACTERS = 255  # of a header or key: a record of another program may have any


class RecentEvents:
    """The last LIMIT entries, in shared memory: create it before the processes of a service are forked.

    One thread adds, any thread may read. An entry is encoded once, when it is added: a reader gets the complete JSON.
    """

    def __init__(self) -> None:
        self._entries: deque[bytes] = deque(maxlen=LIMIT)  # the newest first
        self._buffer = SharedBuffer(_BYTES)

    def add(self, entries: Iterable[Mapping[str, Any]]) -> None:
        """Add the entries, the oldest first; drop the oldest ones beyond LIMIT entries or the size of the buffer."""
        self._entries.extendleft(map(to_json, entries))
        while sum(map(len, self._entries)) + len(self._entries) + 1 > _BYTES:
            self._entries.pop()
        self._buffer.write(b"[%b]" % b",".join(self._entries))

    def as_json(self) -> bytes:
        """A JSON array of the entries, the newest first."""
        return self._buffer.read() or b"[]"


def text(value: bytes | None) -> str | None:
    """A key or a header as text of limited length."""
    return None if value is None else value.decode("utf-8", "replace")[:_TEXT_CHARACTERS]
