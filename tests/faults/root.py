"""Statements as root of a MariaDB server on this machine, which lets root in through its socket without a password."""

import os
from contextlib import closing
from pathlib import Path
from typing import Any

import pymysql

from tests.database_server import is_mariadb


def missing() -> str | None:
    """Why root cannot log in to the server of ./local.sh, or None."""
    return None if is_mariadb() else "MYSQLD names MySQL, whose root has a random password"


def run_as_root(data: Path, socket: str, *statements: str) -> tuple[Any, ...]:
    """Run the statements; return the rows of the last one. `data` is the server's data folder."""
    folder = os.open(data, os.O_RDONLY)  # a full path may be longer than a socket's can be
    try:
        path = f"/proc/self/fd/{folder}/{socket}"
        with closing(pymysql.connect(unix_socket=path, user="root", autocommit=True, read_timeout=10)) as connection:
            cursor = connection.cursor()
            for statement in statements:
                cursor.execute(statement)
            return tuple(cursor.fetchall())
    finally:
        os.close(folder)
