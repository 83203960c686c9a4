"""A MariaDB primary and its replica on loopback, with GTIDs. The replica can be made to lag, and be promoted."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pymysql

from tests.faults.root import run_as_root
from tests.faults.system import ROOT
from tests.faults.waiting import wait_until

START_SECONDS = 60
REPLICA = (
    "CREATE USER 'replica'@'127.0.0.1' IDENTIFIED BY 'replica'",
    "GRANT REPLICATION SLAVE ON *.* TO 'replica'@'127.0.0.1'",
)


def missing() -> str | None:
    """Why no pair can be started here, or None."""
    version = subprocess.run([_server(), "--version"], capture_output=True, text=True).stdout
    return None if "MariaDB" in version else f"{_server()} is not MariaDB"


class Server:
    def __init__(self, folder: Path, number: int, port: int) -> None:
        self.folder, self.number, self.port = folder, number, port
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        user = ["--user=root"] if os.getuid() == 0 else []
        install = ["mariadb-install-db", "--no-defaults", "--skip-test-db", f"--datadir={self.folder}", *user]
        subprocess.run(install, check=True, capture_output=True)
        with open(f"{self.folder}.log", "ab") as log:
            self._process = subprocess.Popen(
                [
                    *(_server(), "--no-defaults", f"--datadir={self.folder}", "--socket=server.sock", *user),
                    *(f"--port={self.port}", "--bind-address=127.0.0.1", "--skip-name-resolve"),
                    *("--character-set-server=utf8mb4", "--collation-server=utf8mb4_bin"),
                    *("--default-time-zone=+00:00", "--innodb-buffer-pool-size=64M", "--innodb-log-file-size=32M"),
                    *(f"--server-id={self.number}", "--log-bin=binlog", "--binlog-format=ROW"),
                    f"--init-file={ROOT}/docker/mysql/init.sql",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_until(lambda: self.run("SELECT 1"), f"server {self.number}", START_SECONDS, pymysql.Error, OSError)

    def run(self, *statements: str) -> tuple[Any, ...]:
        """Run the statements as root; give the rows of the last one."""
        return run_as_root(self.folder, "server.sock", *statements)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None


class Pair:
    one_server = True

    def __init__(self, folder: Path, first_port: int) -> None:
        self.primary = Server(folder / "primary", 1, first_port)
        self.replica = Server(folder / "replica", 2, first_port + 1)
        self._serving = self.primary

    def hosts(self, service: str) -> str:
        return f"127.0.0.1:{self.primary.port},127.0.0.1:{self.replica.port}"

    def migration_hosts(self, service: str) -> str:
        return self.hosts(service)

    def port(self) -> int:
        return self._serving.port

    def start(self) -> None:
        for server in (self.primary, self.replica):
            server.start()
            server.run(*REPLICA, "RESET MASTER")
        self.replica.run(
            "SET GLOBAL gtid_slave_pos = ''",
            "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_USER = 'replica', MASTER_PASSWORD = 'replica',"
            f" MASTER_PORT = {self.primary.port}, MASTER_USE_GTID = slave_pos",
            "START SLAVE",
            "SET GLOBAL read_only = 1",
        )

    def let_the_replica_lag(self) -> None:
        """From now on it learns of no further transaction."""
        caught_up = "SELECT MASTER_GTID_WAIT(@@gtid_current_pos, 1)"
        wait_until(lambda: self.replica.run(caught_up) == ((0,),), "the replica", START_SECONDS)
        self.replica.run("STOP SLAVE")

    def promote(self) -> None:
        """Kill the primary and let the replica take its place, without what it has not learned."""
        self.primary.kill()
        self.replica.run("STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL read_only = 0")
        self._serving = self.replica

    def close(self) -> None:
        self.primary.kill()
        self.replica.kill()


@contextmanager
def pair(folder: Path, first_port: int) -> Iterator[Pair]:
    servers = Pair(folder, first_port)
    try:
        servers.start()
        yield servers
    finally:
        servers.close()


def _server() -> str:
    return os.environ.get("MYSQLD") or "mariadbd"
