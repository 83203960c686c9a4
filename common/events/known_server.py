"""Notices that the database is served by another server than before.

A replica that was promoted may lack the newest transactions of the server it replaces. Consumers have seen the events
of these transactions; only an announcement of all present values makes both sides consistent again.
"""

from datetime import datetime

from common.mysql import IMPOSSIBLE_TIME, Cursor


def notice(cursor: Cursor) -> bool:
    """Compare the server with the one in table `known_server`; whether it changed just now."""
    server = identity(cursor)
    cursor.execute("INSERT IGNORE INTO known_server (one, server) VALUES (1, %s)", (server,))
    changed = cursor.execute(
        "UPDATE known_server SET server = %s, changed_at = UTC_TIMESTAMP(6) WHERE one = 1 AND server <> %s",
        (server, server),
    )
    return bool(changed)


def changed(cursor: Cursor) -> bool:
    """Whether the server changed and nothing was announced since."""
    cursor.execute("SELECT 1 FROM known_server WHERE changed_at IS NOT NULL")
    return cursor.fetchone() is not None


def mark_announced(cursor: Cursor, since: datetime) -> None:
    """Everything was announced by a run that began at `since` (naive UTC, the database's clock)."""
    cursor.execute(
        f"UPDATE known_server SET changed_at = NULL WHERE changed_at <= %s OR changed_at > {IMPOSSIBLE_TIME}", (since,)
    )


def identity(cursor: Cursor) -> str:
    """A name of the server that stays while it is the same one: the cluster's where it is a node of a cluster."""
    cursor.execute("SHOW GLOBAL STATUS LIKE 'wsrep_cluster_state_uuid'")
    if (row := cursor.fetchone()) and row[1]:
        return str(row[1])
    # MariaDB has server_uid, MySQL has server_uuid; to name one that does not exist is an error.
    cursor.execute("SHOW GLOBAL VARIABLES WHERE Variable_name IN ('server_uid', 'server_uuid')")
    row = cursor.fetchone()
    return str(row[1]) if row else "unknown"
