"""A MariaDB server from this machine's programs, or a MySQL 9.7 server from its Docker image, on loopback."""

import os
import shutil
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import pymysql

from tests.faults.root import run_as_root
from tests.faults.system import ROOT
from tests.faults.waiting import wait_until

START_SECONDS = 90
IMAGE = "mysql:9.7"
INIT = ROOT / "docker" / "mysql" / "init.sql"
OPTIONS = (
    *("--bind-address=127.0.0.1", "--skip-name-resolve", "--default-time-zone=+00:00"),
    *("--character-set-server=utf8mb4", "--collation-server=utf8mb4_bin"),
    "--innodb-buffer-pool-size=64M",
)


class DatabaseServer(Protocol):
    port: int

    def start(self) -> None:
        """With the users and databases of the services, and a binary log; returns when it answers."""

    def run(self, *statements: str) -> tuple[Any, ...]:
        """Run the statements as root; give the rows of the last one."""

    def kill(self) -> None:
        """SIGKILL, if it runs."""


class MariaDB:
    def __init__(self, folder: Path, number: int, port: int) -> None:
        self.port = port
        self._folder, self._number = folder / f"mariadb-{number}", number
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def missing() -> str | None:
        """Why there is none here, or None."""
        version = subprocess.run([_server(), "--version"], capture_output=True, text=True).stdout
        return None if "MariaDB" in version else f"{_server()} is not MariaDB"

    def start(self) -> None:
        user = ["--user=root"] if os.getuid() == 0 else []
        install = ["mariadb-install-db", "--no-defaults", "--skip-test-db", f"--datadir={self._folder}", *user]
        subprocess.run(install, check=True, capture_output=True)
        command = [
            *(_server(), "--no-defaults", f"--datadir={self._folder}", "--socket=server.sock", f"--port={self.port}"),
            *(*user, *OPTIONS, "--innodb-log-file-size=32M", f"--init-file={INIT}"),
            *(f"--server-id={self._number}", "--log-bin=binlog", "--binlog-format=ROW"),
        ]
        with open(f"{self._folder}.log", "ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(lambda: self.run("SELECT 1"), "MariaDB", START_SECONDS, pymysql.Error, OSError)

    def run(self, *statements: str) -> tuple[Any, ...]:
        return run_as_root(self._folder, "server.sock", *statements)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None


class MySQL:
    """In a container that shares the network of this machine."""

    def __init__(self, folder: Path, number: int, port: int) -> None:
        self.port = port
        self._number = number
        self._container = ""

    @staticmethod
    def missing() -> str | None:
        if not shutil.which("docker"):
            return f"docker, which runs {IMAGE}, is not installed"
        found = subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True)
        return None if found.returncode == 0 else f"docker has no image {IMAGE}: docker pull {IMAGE}"

    def start(self) -> None:
        command = [
            *("docker", "run", "--detach", "--rm", "--network", "host", "--memory", "1g"),
            *("--env", "MYSQL_ROOT_PASSWORD=root", "--env", "MYSQL_ROOT_HOST=127.0.0.1"),
            *("--env", "MYSQL_INITDB_SKIP_TZINFO=1", "--volume", f"{INIT}:/docker-entrypoint-initdb.d/init.sql:ro"),
            *(IMAGE, "mysqld", f"--port={self.port}", *OPTIONS, f"--server-id={self._number}"),
            *("--gtid-mode=ON", "--enforce-gtid-consistency=ON", "--performance-schema=OFF", "--mysqlx=OFF"),
        ]
        self._container = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        wait_until(lambda: self.run("SELECT 1"), "MySQL", START_SECONDS, pymysql.Error, OSError)

    def run(self, *statements: str) -> tuple[Any, ...]:
        login = {"host": "127.0.0.1", "port": self.port, "user": "root", "password": "root"}
        with closing(pymysql.connect(**login, autocommit=True, connect_timeout=3)) as connection:  # type: ignore[arg-type]
            cursor = connection.cursor()
            for statement in statements:
                cursor.execute(statement)
            return tuple(cursor.fetchall())

    def kill(self) -> None:
        if self._container:
            subprocess.run(["docker", "kill", self._container], check=True, capture_output=True)
            self._container = ""


def _server() -> str:
    return os.environ.get("MYSQLD") or "mariadbd"
