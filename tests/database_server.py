"""A MySQL or MariaDB server of a test's own: the program that MYSQLD names, on a free port of 127.0.0.1."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pymysql
import pytest

from tests.eventually import eventually
from tests.integration.service import ROOT, free_port

ADMIN = {"user": "admin", "password": "admin"}


class DatabaseServer(NamedTuple):
    """Holds the databases and users of docker/mysql/init.sql, and ADMIN, who may do everything."""

    port: int
    mariadb: bool
    process: "subprocess.Popen[bytes]"

    def url(self, user: str, database: str) -> str:
        return f"mysql://{user}:{user}@127.0.0.1:{self.port}/{database}"

    def admin(self, **options: Any) -> "pymysql.connections.Connection[Any]":
        return pymysql.connect(host="127.0.0.1", port=self.port, autocommit=True, **{**ADMIN, **options})

    def execute(self, *statements: str) -> tuple[tuple[Any, ...], ...]:
        """Run the statements as ADMIN; give the rows of the last."""
        with self.admin() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return tuple(cursor.fetchall())


def is_mariadb() -> bool:
    version = subprocess.run([_program(), "--version"], capture_output=True, text=True, check=True)
    return "MariaDB" in version.stdout


@contextmanager
def database_server(
    folder: Path, options: Sequence[str] = (), statements: Sequence[str] = (), login: dict[str, Any] = ADMIN
) -> Iterator[DatabaseServer]:
    """Start a server with these options that runs these statements first; it answers `login`. End it afterwards."""
    mysqld, mariadb, port = _program(), is_mariadb(), free_port()
    basic = ["--no-defaults", *(["--user=root"] if os.geteuid() == 0 else []), f"--datadir={folder / 'data'}"]
    if mariadb:
        _run(str(shutil.which("mariadb-install-db")), *basic, "--skip-test-db")
    else:
        _run(mysqld, *basic, "--initialize-insecure")
    init = [
        (ROOT / "docker" / "mysql" / "init.sql").read_text(encoding="utf-8"),
        "CREATE USER admin@'%' IDENTIFIED BY 'admin';",
        "GRANT ALL PRIVILEGES ON *.* TO admin@'%' WITH GRANT OPTION;",
        *(f"{statement};" for statement in statements),
    ]
    (folder / "init.sql").write_text("\n".join(init) + "\n", encoding="utf-8")
    where = [f"--port={port}", "--bind-address=127.0.0.1", "--socket=mysql.sock", "--skip-name-resolve"]
    small = ["--loose-performance-schema=OFF", "--loose-mysqlx=OFF", f"--init-file={folder / 'init.sql'}"]
    with (folder / "log").open("wb") as output:
        process = subprocess.Popen(
            [mysqld, *basic, *where, *small, *options], stdout=output, stderr=subprocess.STDOUT, cwd=folder
        )

    def answers() -> bool:
        with suppress(pymysql.OperationalError):
            pymysql.connect(host="127.0.0.1", port=port, **login).close()
            return True
        return False

    try:
        eventually(lambda: process.poll() is not None or answers(), seconds=40)
        assert process.poll() is None, (folder / "log").read_text(encoding="utf-8", errors="replace")[-3000:]
        yield DatabaseServer(port, mariadb, process)
    finally:
        process.terminate()
        process.wait(timeout=30)


def _program() -> str:
    return os.environ.get("MYSQLD") or pytest.skip("MYSQLD is not set; ./local.sh test sets it")


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
