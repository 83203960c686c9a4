"""Runs dbmate, one at a time for a database, as the child of the process that holds the lock.

dbmate takes no lock on MySQL: of two that start at once, one would fail.
"""

import logging
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from urllib.parse import urlencode

import pymysql

from common import environment
from common.mysql import Database, DatabaseUnavailable

RETRY_SECONDS = 1
SAY_SECONDS = 5
LOCK_SECONDS = 5
MIGRATIONS_TABLE, SEEDS_TABLE = "schema_migrations", "seed_migrations"

log = logging.getLogger("migrate")


class MigrationFailed(SystemExit):
    pass


def migrate(folder, table=MIGRATIONS_TABLE):
    """Wait for MySQL without limit, then apply what is missing of the folder's migrations."""
    _with_lock(lambda: _dbmate(folder, table, "migrate"))


def rollback(folder, table=MIGRATIONS_TABLE):
    """Take back the newest migration."""
    _with_lock(lambda: _dbmate(folder, table, "rollback"))


def owner_url():
    """The URL of the user who may change tables; the service's own user need not be."""
    return environment.text("MIGRATIONS_DATABASE_URL", environment.text("DATABASE_URL"))


def wait_for_mysql():
    """A connection as the migrations' user, as soon as there is one. Ends the process on what no wait will mend."""
    database = Database(owner_url(), environment.text("MYSQL_SSL_CA", "") or None)
    said_at = None
    while True:
        try:
            return database.connect()
        except DatabaseUnavailable as error:
            if said_at is None or time.monotonic() - said_at >= SAY_SECONDS:
                said_at = time.monotonic()
                log.info("%s: %s", _what_it_means(error), error)
            time.sleep(RETRY_SECONDS)


def _what_it_means(error):
    cause = error.__cause__
    code = cause.args[0] if isinstance(cause, pymysql.Error) and cause.args else 0
    if code == 1045:
        return "MySQL refuses the user or the password (or is still being set up)"
    if code in (1044, 1049):
        return "the database is not there for this user (or is still being set up)"
    return "waiting for MySQL"


def _with_lock(work):
    while True:
        try:
            with closing(wait_for_mysql()) as connection, connection.cursor() as cursor:
                cursor.execute("SELECT CONCAT(DATABASE(), '.migrations')")
                (name,) = cursor.fetchone()
                while True:
                    cursor.execute("SELECT GET_LOCK(%s, %s)", (name, LOCK_SECONDS))
                    if cursor.fetchone()[0] == 1:
                        break
                    log.info("another process migrates this database; waiting")
                work()
                return
        except pymysql.Error as error:
            log.info("MySQL went away; trying again: %s", error)
            time.sleep(RETRY_SECONDS)


def _dbmate(folder, table, verb):
    # `migrate`, not `up`: that one would create a missing database, with the server's own character set.
    command = ["dbmate", "--migrations-dir", str(folder), "--migrations-table", table, "--no-dump-schema", verb]
    options = {"PATH": os.path.dirname(sys.executable) + os.pathsep + os.environ.get("PATH", "")}
    ca, url = environment.text("MYSQL_SSL_CA", ""), owner_url()
    if ca:
        options["SSL_CERT_FILE"] = ca
        url += ("&" if "?" in url else "?") + urlencode({"tls": "true"})
    # In the environment, not among the arguments: those anybody may read in `ps`.
    child = subprocess.Popen(command, env={**os.environ, **options, "DATABASE_URL": url})

    def stop(*_):
        child.terminate()
        raise SystemExit(143)

    previous = signal.signal(signal.SIGTERM, stop)
    code = child.wait()
    signal.signal(signal.SIGTERM, previous)
    if code:
        raise MigrationFailed(f"dbmate could not {verb} {folder} (exit code {code}); its own words stand above")
