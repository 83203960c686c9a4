"""Runs dbmate to migrate and seed a database, also if several processes start at the same moment.

dbmate takes no lock on MySQL: of two that apply the same file, the second one fails to record the file. Two means
make that harmless, and both are needed:

- GET_LOCK lets the processes of one server wait for each other. Each node of a cluster has locks of its own, and a
  dbmate that outlives its killed parent has none.
- A dbmate that failed runs again while there is progress: it then finds the file recorded. That holds on every engine,
  because each migration can run again, also after the migrations that follow it (see CONTRIBUTING.md).
"""

import logging
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

from common import environment
from common.mysql import Connection, Database, DatabaseUnavailable, own_errors
from common.mysql import session as mysql_session
from common.mysql import url as mysql_url
from common.mysql.errors import code_of

RETRY_SECONDS = 1
PROGRESS_SECONDS = 5
LOCK_SECONDS = 5
# Without progress, so many runs, so far apart. A file that another dbmate applies is recorded meanwhile.
DBMATE_TRIES, DBMATE_RETRY_SECONDS = 3, 2
MIGRATIONS_TABLE, SEEDS_TABLE = "schema_migrations", "seed_migrations"

log = logging.getLogger("migrate")


class MigrationFailed(SystemExit):
    """The end of the process: dbmate failed, and printed the reason."""


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
    """Revert the newest migration. A failure is not retried: the retry might revert another one."""
    _with_lock(lambda connection: _dbmate(connection, folder, table, "rollback"))


def migrations_url() -> str:
    """The URL of the user who can change tables; the service's own user needs no such rights."""
    return environment.text("MIGRATIONS_DATABASE_URL", environment.text("DATABASE_URL"))


def wait_for_mysql() -> Connection:
    """A connection as the user of the migrations. Waits without limit."""
    database = Database(migrations_url(), environment.ca_file("MYSQL_SSL_CA"))
    reported_at = None
    while True:
        try:
            return database.connect()
        except DatabaseUnavailable as error:
            if reported_at is None or time.monotonic() - reported_at >= PROGRESS_SECONDS:
                reported_at = time.monotonic()
                log.info(_meaning(error), extra={"reason": str(error)})
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
            log.info("connection to MySQL lost; retrying", extra={"reason": str(error)})
            time.sleep(RETRY_SECONDS)


def _lock(connection: Connection) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT CONCAT(DATABASE(), '.migrations')")
        ((name,),) = cursor.fetchall()
        while True:
            cursor.execute("SELECT GET_LOCK(%s, %s)", (name, LOCK_SECONDS))
            if cursor.fetchone() == (1,):
                return
            log.info("waiting: another process migrates this database")


def _dbmate(connection: Connection, folder: Path, table: str, command: str) -> None:
    # `migrate`, not `up`, which would create a missing database with the character set of the server.
    arguments = ["dbmate", "--migrations-dir", str(folder), "--migrations-table", table, "--no-dump-schema", command]
    variables = {"PATH": os.path.dirname(sys.executable) + os.pathsep + os.environ.get("PATH", "")}
    options = mysql_session.dbmate_options(_version(connection))
    if ca := environment.ca_file("MYSQL_SSL_CA"):
        # Go trusts the certificates in this file and in this folder; the services trust only the file.
        variables.update(SSL_CERT_FILE=ca, SSL_CERT_DIR=os.devnull)
        options["tls"] = "true"
    # In the environment: every user of this machine can read arguments in `ps`.
    variables["DATABASE_URL"] = mysql_url.parse(migrations_url()).of_one(connection.address, **options)
    run = partial(_run, arguments, {**os.environ, **variables})
    _run_until_done(partial(_recorded, connection, table), command, run)


def _run_until_done(
    recorded_files: Callable[[], int],
    command: str,
    run: Callable[[], int],
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Run dbmate until it succeeds. Raises MigrationFailed after DBMATE_TRIES failures without progress."""
    tries = tries_left = 1 if command == "rollback" else DBMATE_TRIES
    recorded = recorded_files()
    while code := run():
        # Raises DatabaseUnavailable if the connection was lost: dbmate has then lost its own, too.
        before, recorded = recorded, recorded_files()
        progress = tries > 1 and recorded > before
        tries_left = tries if progress else tries_left - 1
        if not tries_left:
            raise MigrationFailed(f"dbmate could not {command} (exit code {code}); see dbmate's output above")
        log.info("dbmate failed; retrying, because another dbmate may be running", extra={"recorded": recorded})
        # Two that failed because of each other would otherwise meet again at the next file.
        sleep(random.uniform(0, RETRY_SECONDS) if progress else DBMATE_RETRY_SECONDS)


def _recorded(connection: Connection, table: str) -> int:
    """How many files dbmate has recorded."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW TABLES LIKE %s", (table,))
        if not cursor.fetchone():
            return 0
        cursor.execute(f"SELECT COUNT(*) FROM {table}")
        ((count,),) = cursor.fetchall()
    return int(count)


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
