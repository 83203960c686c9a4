"""A database server of a test's own, with settings that no other test could bear."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pymysql
import pytest

from tests.eventually import eventually
from tests.integration.service import ROOT, free_port


@contextmanager
def own_mysql(folder: Path, *settings: str) -> Iterator[int]:
    """Start the server that MYSQLD names, in `folder`, with the users of docker/mysql/init.sql; give its port."""
    mysqld = os.environ.get("MYSQLD") or pytest.skip("MYSQLD is not set; ./local.sh test sets it")
    port = free_port()
    options = ["--no-defaults", *(["--user=root"] if os.geteuid() == 0 else []), f"--datadir={folder / 'data'}"]
    with (folder / "log").open("wb") as log:
        if "MariaDB" in subprocess.run([mysqld, "--version"], capture_output=True, text=True, check=True).stdout:
            command = [shutil.which("mariadb-install-db") or "mariadb-install-db", *options, "--skip-test-db"]
        else:
            command = [mysqld, *options, "--initialize-insecure"]
        subprocess.run(command, stdout=log, stderr=log, check=True, timeout=50)
        where = [f"--port={port}", "--bind-address=127.0.0.1", "--socket=mysql.sock", "--skip-name-resolve"]
        users = f"--init-file={ROOT / 'docker' / 'mysql' / 'init.sql'}"
        server = subprocess.Popen([mysqld, *options, *where, users, *settings], stdout=log, stderr=log)
    try:
        eventually(lambda: _answers(port), seconds=40)
        yield port
    finally:
        server.terminate()
        server.wait(timeout=30)


def _answers(port: int) -> bool:
    with suppress(pymysql.OperationalError):
        pymysql.connect(host="127.0.0.1", port=port, user="tests", password="tests").close()
        return True
    return False
