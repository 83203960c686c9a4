"""Leader election by a lease: a row that one process holds until a moment of the database's clock.

Compare-and-set on one row works on every engine: one server, a promoted replica, a cluster of several primaries.
GET_LOCK does not: the lock is in the memory of one server, unknown to the other nodes of a cluster.

A process that hangs loses the lease when it expires. A lease that expires more than an hour from now was taken while
the clock was wrong, and counts as expired. For a moment two processes can both hold the lease; their work must tolerate
that.
"""

import time
from uuid import uuid4

from common.mysql import IMPOSSIBLE_TIME, PROBE_SECONDS, Connection

LEASE_SECONDS = 5.0
RENEW_SECONDS = 1.0
LONG_WAIT_SECONDS = 2 * LEASE_SECONDS  # the clocks of a cluster's nodes differ a little


class Lease:
    """One process's part in the election named `name`; needs the table `leases`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._holder = str(uuid4())
        self._renew_at = self._expires_at = 0.0

    def hold(self, connection: Connection) -> bool:
        """Take the lease if it is free, renew it if it is ours; return whether this process is the leader now.

        Costs a round trip once in RENEW_SECONDS. `connection` is in autocommit mode.
        """
        now = time.monotonic()
        if now < self._renew_at:
            return now < self._expires_at
        held = self._take(connection)
        # From before the statement was sent: the lease never seems longer than it is.
        self._renew_at, self._expires_at = (now + RENEW_SECONDS, now + LEASE_SECONDS) if held else (0.0, 0.0)
        return held

    def reason_of_long_wait(self, connection: Connection) -> str:
        """Why this process waits for the lease for longer than a lease lasts; "" while it does not."""
        with connection.within(PROBE_SECONDS), connection.cursor() as cursor:
            cursor.execute(
                "SELECT CAST(TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(6), expires_at) AS SIGNED) FROM leases"
                " WHERE name = %s AND expires_at > UTC_TIMESTAMP(6) + INTERVAL %s SECOND",
                (self._name, int(LONG_WAIT_SECONDS)),
            )
            row = cursor.fetchone()
        if row is None:
            return ""
        return (
            f"the lease {self._name} ends in {row[0]} s, and a leader takes it for {LEASE_SECONDS:.0f} s:"
            " the database's clock was ahead, or an operator holds the lease; wait, or delete its row in table leases"
        )

    def release(self, connection: Connection) -> None:
        """Let another process take the lease at once."""
        self._renew_at = self._expires_at = 0.0
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE leases SET expires_at = UTC_TIMESTAMP(6) WHERE name = %s AND holder = %s",
                (self._name, self._holder),
            )

    def _take(self, connection: Connection) -> bool:
        ours = (self._holder, int(LEASE_SECONDS * 1_000_000), self._name)
        with connection.within(PROBE_SECONDS), connection.cursor() as cursor:
            if cursor.execute(
                "UPDATE leases SET holder = %s, expires_at = UTC_TIMESTAMP(6) + INTERVAL %s MICROSECOND"
                " WHERE name = %s AND (holder = %s OR expires_at <= UTC_TIMESTAMP(6)"
                f" OR expires_at > {IMPOSSIBLE_TIME})",
                (*ours, self._holder),
            ):
                return True
            return bool(
                cursor.execute(
                    "INSERT IGNORE INTO leases (holder, expires_at, name)"
                    " VALUES (%s, UTC_TIMESTAMP(6) + INTERVAL %s MICROSECOND, %s)",
                    ours,
                )
            )
