"""Runs dbmate, one at a time for a database, as the child of the process that holds the lock.

dbmate takes no lock on MySQL: of two that start at once, one would fail.
"""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from common import environment
from common.mysql import Connection, Database, DatabaseUnavailable, own_errors
from common.mysql import session as mysql_session
from common.mysql import url as mysql_url
from common.mysql.errors import code_of

RETRY_SECONDS = 1
PROGRESS_SECONDS = 5
LOCK_SECONDS = 5
DBMATE_TRIES, ORPHAN_SECONDS = 3, 2
MIGRATIONS_TABLE, SEEDS_TABLE = "schema_migrations", "seed_migrations"

log = logging.getLogger("migrate")


class MigrationFailed(SystemExit):
    pass


def migrate(folder: Path, table: str = MIGRATIONS_TABLE) -> None:
    """Wait for MySQL without limit, then apply the missing migrations of the folder."""
    _with_lock(lambda connection: _dbmate(connection, folder, table, "migrate"))


def seed(folder: Path) -> None:
    """Insert the seeds of the folder that are absent. A project without that folder has none."""
    if folder.is_dir():
        migrate(folder, SEEDS_TABLE)
    else:
        log.info("no seeds: the folder does not exist", extra={"folder": str(folder)})


def rollback(folder: Path, table: str = MIGRATIONS_TABLE) -> None:
    """Take back the newest migration."""
    _with_lock(lambda connection: _dbmate(connection, folder, table, "rollback"))


def migrations_url() -> str:
    """The URL of the user who may change tables; the service's own user need not be allowed to."""
    return environment.text("MIGRATIONS_DATABASE_URL", environment.text("DATABASE_URL"))


def wait_for_mysql() -> Connection:
    """A connection as the user of the migrations, as soon as there is one."""
    database = Database(migrations_url(), environment.ca_file("MYSQL_SSL_CA"))
    reported_at = None
    while True:
        try:
            return database.connect()
        except DatabaseUnavailable as error:
            if reported_at is None or time.monotonic() - reported_at >= PROGRESS_SECONDS:
                reported_at = time.monotonic()
                log.info("%s: %s", _meaning(error), error)
            time.sleep(RETRY_SECONDS)


def _meaning(error: DatabaseUnavailable) -> str:
    code = code_of(error.__cause__)
    if code == 1045:
        return "MySQL refuses the user or the password (or is still being set up)"
    if code in (1044, 1049):
        return "the database does not exist for this user (or is still being set up)"
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return "MYSQL_SSL_CA does not verify the certificate of MySQL"
    return "waiting for MySQL"


def _with_lock(work: Callable[[Connection], None]) -> None:
    while True:
        try:
            with closing(wait_for_mysql()) as connection, own_errors():
                _lock(connection)
                work(connection)
                return
        except DatabaseUnavailable as error:
            log.info("connection to MySQL lost; trying again: %s", error)
            time.sleep(RETRY_SECONDS)


def _lock(connection: Connection) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT CONCAT(DATABASE(), '.migrations')")
        ((name,),) = cursor.fetchall()
        while True:
            cursor.execute("SELECT GET_LOCK(%s, %s)", (name, LOCK_SECONDS))
            if cursor.fetchall() == ((1,),):
                return
            log.info("another process migrates this database; waiting")


def _dbmate(connection: Connection, folder: Path, table: str, command: str) -> None:
    # `migrate`, not `up`: that one would create a missing database, with the server's own character set.
    arguments = ["dbmate", "--migrations-dir", str(folder), "--migrations-table", table, "--no-dump-schema", command]
    variables = {"PATH": os.path.dirname(sys.executable) + os.pathsep + os.environ.get("PATH", "")}
    options = mysql_session.dbmate_options(_version(connection))
    if ca := environment.ca_file("MYSQL_SSL_CA"):
        # Go trusts the certificates of this file and of this folder: of no folder, as the services do.
        variables.update(SSL_CERT_FILE=ca, SSL_CERT_DIR=os.devnull)
        options["tls"] = "true"
    # In the environment, not among the arguments: those anybody may read in `ps`.
    variables["DATABASE_URL"] = mysql_url.parse(migrations_url()).of_one(connection.address, **options)
    # One whose parent was killed works on without the lock. Each file may be applied twice; the one that comes second
    # to record it fails, and finds it recorded at the next try. But a repeated rollback may go back two steps.
    for tries_left in reversed(range(1 if command == "rollback" else DBMATE_TRIES)):
        if (code := _run(arguments, {**os.environ, **variables})) == 0:
            return
        if tries_left:
            with connection.cursor() as cursor:
                cursor.execute("DO 0")  # a lost connection is an outage, to be waited out: dbmate lost its own too
            log.info("dbmate failed; trying once more, in case another dbmate of an earlier start still runs")
            time.sleep(ORPHAN_SECONDS)
    raise MigrationFailed(f"dbmate could not {command} {folder} (exit code {code}); see dbmate's output above")


def _version(connection: Connection) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT VERSION()")
        ((version,),) = cursor.fetchall()
    return str(version)


def _run(arguments: list[str], variables: dict[str, str]) -> int:
    child = subprocess.Popen(arguments, env=variables)

    def stop(*_: object) -> None:
        child.terminate()
        raise SystemExit(143)

    previous = signal.signal(signal.SIGTERM, stop)
    code = child.wait()
    signal.signal(signal.SIGTERM, previous)
    return code
