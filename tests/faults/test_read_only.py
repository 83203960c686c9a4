"""The switch of one server to read-only: a session that it refuses is replaced by one that may write.

The server checks `read_only` with the privileges that a session had when it began. A session from before the GRANT is
refused (1290), although a new one of the same user may write.
"""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests
from kafka import KafkaProducer

from tests.database_server import DatabaseServer, LocalServer, MySQLContainer, is_mariadb
from tests.eventually import eventually, seconds_until
from tests.faults.system import System

NEW_SECONDS = 10
ACCOUNT = "read-only"
# The privilege to write while read_only is set.
PRIVILEGES = {"mariadb": "READ ONLY ADMIN", "mysql": "CONNECTION_ADMIN"}

pytestmark = pytest.mark.timeout(180, func_only=True)


class Single:
    """One server, in the place of the one of ./local.sh."""

    one_server = True

    def __init__(self, server: DatabaseServer) -> None:
        self.server = server

    def hosts(self, service: str) -> str:
        return f"127.0.0.1:{self.server.port}"

    def migration_hosts(self, service: str) -> str:
        return self.hosts(service)

    def port(self) -> int:
        return self.server.port


@pytest.fixture(params=["mariadb", "mysql"])
def server(request: pytest.FixtureRequest, system_to_break: None, tmp_path: Path) -> Iterator[DatabaseServer]:
    server: DatabaseServer
    if request.param == "mariadb":
        if not is_mariadb():
            pytest.skip("MYSQLD does not name a MariaDB server")
        server = LocalServer(tmp_path / "server")
    else:
        if reason := MySQLContainer.missing():
            pytest.skip(reason)
        server = MySQLContainer(tmp_path / "server")
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture
def system(server: DatabaseServer) -> Iterator[System]:
    system = System(servers=Single(server))
    try:
        system.open()
        yield system
    finally:
        system.close()


def test_a_balance_is_new_within_seconds_of_a_grant_to_write_on_a_read_only_server(
    system: System, server: DatabaseServer, request: pytest.FixtureRequest
) -> None:
    kind = request.node.callspec.params["server"]
    with closing(KafkaProducer(bootstrap_servers=system.bootstrap_servers, api_version=(3, 9))) as producer:
        publish(producer, 1)
        eventually(lambda: balance(system) == 1, NEW_SECONDS, "the first balance")

        server.execute("SET GLOBAL read_only = 1", f"GRANT {PRIVILEGES[kind]} ON *.* TO balances@'%'")
        publish(producer, 2)

        took = seconds_until(lambda: balance(system) == 2, NEW_SECONDS, "the second balance")
    print(f"\nread-only and a GRANT: Balances wrote with a new session after {took:.1f} s")


def publish(producer: KafkaProducer, balance: int) -> None:
    event = {"Name": "BalanceAnnounced", "Payload": {"account_id": ACCOUNT, "balance": balance}}
    producer.send("accounts", json.dumps(event).encode(), headers=[("sequence", str(balance).encode())]).get(10)


def balance(system: System) -> Any:
    response = requests.get(f"{system.url('balances')}/balances/{ACCOUNT}", timeout=5)
    return response.json()["balance"] if response.status_code == 200 else None
