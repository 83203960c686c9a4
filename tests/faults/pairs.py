"""Rows and a counter of the rows, written together on two nodes that both accept writes: both or neither commit."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pymysql

from common.mysql import Conflict, Cursor, Database
from tests.eventually import eventually

WRITERS, PAIRS = 3, 60  # threads for each node, transactions for each thread
REPLICATION_SECONDS = 10


def check_pairs(ports: Sequence[int]) -> None:
    """Write pairs on all nodes at once: each has every committed one, and a counter of the same value."""
    nodes = [Database(f"mysql://tests:tests@127.0.0.1:{port}/wallet_test") for port in ports]
    with nodes[0].transaction() as cursor:
        cursor.execute("CREATE TABLE pairs (id CHAR(36) PRIMARY KEY) ENGINE = InnoDB")
        cursor.execute("CREATE TABLE counter (n INT PRIMARY KEY) ENGINE = InnoDB")
        cursor.execute("INSERT INTO counter VALUES (0)")
    rows = "SELECT COUNT(*) FROM counter"
    for node in nodes[1:]:
        eventually(lambda node=node: node.read(_value, rows) == 1, REPLICATION_SECONDS, "the tables", (pymysql.Error,))

    with ThreadPoolExecutor(len(nodes) * WRITERS) as threads:
        conflicts = sum(threads.map(_write, nodes * WRITERS))

    written = len(nodes) * WRITERS * PAIRS
    print(f"\n{conflicts} conflicts of {written} transactions on {len(nodes)} nodes")
    assert conflicts
    eventually(
        lambda: [_counts(node) for node in nodes] == [(written, written)] * len(nodes),
        REPLICATION_SECONDS,
        f"{written} pairs and the same counter on every node",
    )


def _write(node: Database) -> int:
    """Add PAIRS pairs, each in a transaction that is retried until it commits; return the number of conflicts."""
    conflicts = 0
    for _ in range(PAIRS):
        done = False
        while not done:
            try:
                with node.transaction() as cursor:
                    cursor.queue("UPDATE counter SET n = n + 1")
                    for _ in range(10):  # moments at which the node may roll the transaction back
                        cursor.queue("DO SLEEP(0.0005)")
                    cursor.queue("INSERT INTO pairs VALUES (%s)", (str(uuid4()),))
                done = True
            except Conflict:
                conflicts += 1
    return conflicts


def _counts(node: Database) -> tuple[int, int]:
    return node.read(_value, "SELECT COUNT(*) FROM pairs"), node.read(_value, "SELECT n FROM counter")


def _value(cursor: Cursor, statement: str) -> int:
    cursor.execute(statement)
    ((value,),) = cursor.fetchall()
    return int(value)
