"""Idempotency keys: the response of a request, saved with its change. Needs table `idempotency_keys`."""

from typing import NamedTuple

import pymysql

from common.mysql import Cursor
from common.mysql.errors import LOCK_WAIT_TIMEOUT, NOWAIT_REFUSED


class StillInProgress(Exception):
    def __init__(self) -> None:
        super().__init__("a request with this Idempotency-Key is still in progress")


class KeyReused(Exception):
    def __init__(self) -> None:
        super().__init__("this Idempotency-Key was used with another body")


class Key(NamedTuple):
    """`scope` separates the keys of different endpoints; `body_sha256` distinguishes a retry from another request."""

    scope: str
    key: str
    body_sha256: bytes


class Response(NamedTuple):
    """The HTTP response of the first request; `headers` is a JSON object as text."""

    status: int
    headers: str
    body: str


class IdempotencyKeys:
    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor

    def find(self, key: Key) -> Response | None:
        """The response saved for the key, or None; holds the key against other transactions until this one ends.

        Raises KeyReused for another body, StillInProgress while another transaction holds the key.
        """
        try:
            self._cursor.execute(f"{self._SELECT} FOR UPDATE NOWAIT", (key.scope, key.key))
        except pymysql.OperationalError as error:
            if error.args[0] in (LOCK_WAIT_TIMEOUT, NOWAIT_REFUSED):
                raise StillInProgress from error
            raise
        if (row := self._cursor.fetchone()) is None:
            try:
                self._cursor.execute(
                    "INSERT INTO idempotency_keys (scope, idempotency_key, body_sha256) VALUES (%s, %s, %s)", key
                )
            except pymysql.IntegrityError:  # another transaction was a moment faster, and has committed by now
                self._cursor.execute(f"{self._SELECT} FOR UPDATE", (key.scope, key.key))
                row = self._cursor.fetchone()
            else:
                return None
        if row is None:
            raise StillInProgress
        body_sha256, *response = row
        if body_sha256 != key.body_sha256:
            raise KeyReused
        return Response(*response)

    def save(self, key: Key, response: Response) -> None:
        """Save the response for a key that `find` holds in this transaction."""
        self._cursor.queue(
            "UPDATE idempotency_keys SET status = %s, headers = %s, body = %s"
            " WHERE scope = %s AND idempotency_key = %s",
            (*response, key.scope, key.key),
        )

    def forget_expired(self, limit: int) -> int:
        """Delete at most `limit` responses older than a day; return how many were deleted."""
        return self._cursor.execute(
            "DELETE FROM idempotency_keys WHERE created_at < UTC_TIMESTAMP(6) - INTERVAL 1 DAY"
            " ORDER BY created_at LIMIT %s",
            (limit,),
        )

    _SELECT = (
        "SELECT body_sha256, status, headers, body FROM idempotency_keys WHERE scope = %s AND idempotency_key = %s"
    )
