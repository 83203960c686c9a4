"""A database server of a test's own on 127.0.0.1: the program that MYSQLD names, or MySQL 9.7 from its image."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pymysql
import pytest

from tests.eventually import eventually
from tests.integration.service import ROOT, free_port

ADMIN = {"user": "admin", "password": "admin"}
START_SECONDS, STOP_SECONDS = 60, 30
IMAGE = "mysql:9.7"
INIT = (
    (ROOT / "docker" / "mysql" / "init.sql").read_text(encoding="utf-8"),
    "CREATE USER admin@'%' IDENTIFIED BY 'admin';",
    "GRANT ALL PRIVILEGES ON *.* TO admin@'%' WITH GRANT OPTION;",
)
OPTIONS = ("--skip-name-resolve", "--bind-address=127.0.0.1", "--innodb-buffer-pool-size=64M")


class DatabaseServer:
    """Holds the databases and users of docker/mysql/init.sql, and ADMIN, who has all privileges."""

    port: int
    mariadb: bool

    def url(self, user: str, database: str) -> str:
        return f"mysql://{user}:{user}@127.0.0.1:{self.port}/{database}"

    def admin(self, **options: Any) -> "pymysql.connections.Connection[Any]":
        return pymysql.connect(host="127.0.0.1", port=self.port, autocommit=True, **{**ADMIN, **options})

    def execute(self, *statements: str) -> tuple[tuple[Any, ...], ...]:
        """Run the statements as ADMIN; return the rows of the last."""
        with self.admin() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return tuple(cursor.fetchall())

    def start(self) -> None:
        """Start with an empty data folder; return when the server answers."""
        raise NotImplementedError

    def kill(self) -> None:
        """SIGKILL, if it runs."""
        raise NotImplementedError


class LocalServer(DatabaseServer):
    """The program that MYSQLD names, with these options. The server runs these statements first."""

    def __init__(
        self, folder: Path, options: Sequence[str] = (), statements: Sequence[str] = (), port: int | None = None
    ) -> None:
        self.port, self.mariadb = port or free_port(), is_mariadb()
        self._folder, self._options, self._statements = folder, options, statements
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.launch()
        self.await_answer(ADMIN)

    def launch(self) -> None:
        self._folder.mkdir(exist_ok=True)
        basic = ["--no-defaults", *(["--user=root"] if os.geteuid() == 0 else []), f"--datadir={self._folder / 'data'}"]
        if self.mariadb:
            _run("mariadb-install-db", *basic, "--skip-test-db")
        else:
            _run(_program(), *basic, "--initialize-insecure")
        init = self._folder / "init.sql"
        init.write_text("\n".join([*INIT, *(f"{each};" for each in self._statements)]) + "\n", encoding="utf-8")
        own = [f"--port={self.port}", "--socket=mysql.sock", f"--init-file={init}"]
        small = ["--loose-performance-schema=OFF", "--loose-mysqlx=OFF"]
        with (self._folder / "log").open("wb") as output:
            self.process = subprocess.Popen(
                [_program(), *basic, *own, *OPTIONS, *small, *self._options],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
            )

    def await_answer(self, login: dict[str, Any]) -> None:
        """Wait until the server accepts a connection with this user and these options."""
        process = self.process
        assert process
        eventually(lambda: process.poll() is not None or _answers(self.port, login), START_SECONDS)
        log = self._folder / "log"
        assert process.poll() is None, log.read_text(encoding="utf-8", errors="replace")[-3000:]

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(STOP_SECONDS)
            self.process = None

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None


class MySQLContainer(DatabaseServer):
    """MySQL 9.7 from its image, with these options, on the network of this machine."""

    mariadb = False

    def __init__(self, folder: Path, options: Sequence[str] = (), port: int | None = None) -> None:
        self.port = port or free_port()
        self._folder, self._options = folder, options
        self._container = ""

    @staticmethod
    def missing() -> str | None:
        """Why no such server can be started here, or None."""
        if not shutil.which("docker"):
            return f"docker, which runs {IMAGE}, is not installed"
        found = subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True)
        return None if found.returncode == 0 else f"docker has no image {IMAGE}: docker pull {IMAGE}"

    def start(self) -> None:
        self._folder.mkdir(exist_ok=True)
        init = self._folder / "init.sql"
        init.write_text("\n".join(INIT), encoding="utf-8")
        command = [
            *("docker", "run", "--detach", "--rm", "--network", "host", "--memory", "1g"),
            *("--env", "MYSQL_RANDOM_ROOT_PASSWORD=yes", "--env", "MYSQL_INITDB_SKIP_TZINFO=1"),
            *("--volume", f"{init}:/docker-entrypoint-initdb.d/init.sql:ro"),
            *(IMAGE, "mysqld", f"--port={self.port}", *OPTIONS, "--performance-schema=OFF", "--mysqlx=OFF"),
            *self._options,
        ]
        self._container = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        eventually(lambda: _answers(self.port, ADMIN), START_SECONDS)

    def kill(self) -> None:
        if self._container:
            subprocess.run(["docker", "kill", self._container], check=True, capture_output=True)
            self._container = ""


@contextmanager
def database_server(
    folder: Path, options: Sequence[str] = (), statements: Sequence[str] = (), login: dict[str, Any] = ADMIN
) -> Iterator[LocalServer]:
    """A LocalServer that answers `login`. Stop it afterwards."""
    server = LocalServer(folder, options, statements)
    try:
        server.launch()
        server.await_answer(login)
        yield server
    finally:
        server.stop()


def is_mariadb() -> bool:
    """Whether MYSQLD names a MariaDB server."""
    version = subprocess.run([_program(), "--version"], capture_output=True, text=True, check=True)
    return "MariaDB" in version.stdout


def _program() -> str:
    return os.environ.get("MYSQLD") or pytest.skip("MYSQLD is not set; ./local.sh test sets it")


def _answers(port: int, login: dict[str, Any]) -> bool:
    with suppress(pymysql.OperationalError):
        pymysql.connect(host="127.0.0.1", port=port, connect_timeout=3, read_timeout=3, **login).close()
        return True
    return False


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
