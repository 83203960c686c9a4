"""A privilege that Balances loses while it consumes: a reported failure, and never a fault of a record."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pymysql
import pytest
import requests

from common.events.progress import STALLED_SECONDS
from common.mysql import Database
from common.runner import RECOVERED_SECONDS
from tests.database_server import DatabaseServer, database_server
from tests.events import balance_announced
from tests.eventually import eventually
from tests.integration.service import Service, balances_on, run_command
from tests.integration.tables import rows, value

PROBLEM = "INSERT command denied"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseServer]:
    with database_server(tmp_path_factory.mktemp("privileges")) as server:
        yield server


def change_privileges(server: DatabaseServer, *statements: str) -> None:
    """Privileges of a schema count for the connections that begin afterwards, so end the present ones."""
    server.execute(*statements)
    for connection, user, *_ in server.execute("SHOW PROCESSLIST"):
        if user == "balances":
            with suppress(pymysql.MySQLError):  # it has ended by itself
                server.execute(f"KILL {connection}")


def test_a_missing_privilege_is_reported_until_it_is_granted_and_no_record_is_parked(
    server: DatabaseServer, kafka: dict[str, Any], send: Any, topic: str, tmp_path: Path
) -> None:
    owner = server.url("balances_owner", "balances")
    assert run_command("balances", owner, "migrate").returncode == 0
    database = Database(owner)
    environment = {
        "DATABASE_URL": server.url("balances", "balances"),
        "KAFKA_BOOTSTRAP_SERVERS": ",".join(kafka["bootstrap_servers"]),
        "KAFKA_GROUP_ID": topic,
    }
    with Service(balances_on(topic), tmp_path / "log", **environment) as balances:

        def ready() -> Any:
            return requests.get(f"{balances.url}/ready", timeout=5).json()

        send(topic, balance_announced(balance=1), headers=[("sequence", b"1")])
        eventually(lambda: rows(database, "SELECT balance FROM balances") == ((1,),), seconds=20)
        change_privileges(  # a record could still be parked
            server,
            "REVOKE INSERT ON balances.* FROM balances@'%'",
            "GRANT INSERT ON balances.dead_letters TO balances@'%'",
            "GRANT INSERT ON balances.consumer_offsets TO balances@'%'",
        )
        send(topic, balance_announced(balance=2), headers=[("sequence", b"2")])
        eventually(lambda: PROBLEM in str(ready().get("failing")), seconds=20)
        # The supervisor restarts the consumer again and again, and the partition does not move.
        eventually(lambda: ready()["stalled"] == 1, seconds=3 * STALLED_SECONDS)
        unchanged = rows(database, "SELECT balance FROM balances")
        parked = value(database, "SELECT COUNT(*) FROM dead_letters")
        change_privileges(server, "GRANT INSERT ON balances.* TO balances@'%'")
        eventually(lambda: rows(database, "SELECT balance FROM balances") == ((2,),), seconds=20)
        eventually(lambda: "failing" not in ready(), seconds=20)
        eventually(lambda: balances.lines("worker has recovered"), seconds=2 * RECOVERED_SECONDS)

    assert (unchanged, parked) == (((1,),), 0)
    assert value(database, "SELECT COUNT(*) FROM dead_letters") == 0
    failures = balances.lines("worker failed: restarting it")
    assert [PROBLEM in line["error"] for line in failures] == [True]  # once, however often it was repeated
    assert len(balances.lines("worker has recovered")) == 1
