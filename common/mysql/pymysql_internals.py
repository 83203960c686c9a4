"""All that touches private parts of PyMySQL: what its public interface cannot do. A unit test checks that each exists.

An upgrade of the library breaks here, and only here.
"""

import re
import select
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pymysql.connections import Connection
from pymysql.cursors import Cursor


def has_pending_input(connection: "Connection[Any]") -> bool:
    """Whether something can be read although no statement runs: the server's last error, or the connection's end.

    `ping` would cost a round trip before each use, and has no timeout of its own:
    https://github.com/PyMySQL/PyMySQL/issues/1169
    """
    private: Any = connection
    if (sock := private._sock) is None:
        return True
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


def set_read_timeout(connection: "Connection[Any]", seconds: float) -> None:
    """Limit how long the server may take to answer a statement. The public option is that of the complete connection.

    https://github.com/PyMySQL/PyMySQL/issues/250
    """
    private: Any = connection
    private._read_timeout = seconds


@contextmanager
def read_timeout(connection: "Connection[Any]", seconds: float) -> Iterator[None]:
    """Inside the block the server has `seconds` to answer a statement."""
    private: Any = connection
    before = private._read_timeout
    set_read_timeout(connection, seconds)
    try:
        yield
    finally:
        set_read_timeout(connection, before)


def upserted_rows(cursor: Cursor) -> int:
    """How many rows the cursor's INSERT … ON DUPLICATE KEY UPDATE inserted or changed.

    MySQL counts an inserted row as 1 and a changed row as 2. The number of changed rows is only in the message of the
    OK packet, which PyMySQL does not publish: https://github.com/PyMySQL/PyMySQL/issues/347
    A statement for a single row has no such message.
    """
    private: Any = cursor
    message = getattr(private._result, "message", b"") or b""
    changed = re.search(rb"Duplicates: (\d+)", message)
    return cursor.rowcount - int(changed[1]) if changed else min(cursor.rowcount, 1)
