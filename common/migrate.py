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
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import pymysql

from common import environment
from common.mysql import Database, DatabaseUnavailable

RETRY_SECONDS = 1
SAY_SECONDS = 5
LOCK_SECONDS = 5
DBMATE_TRIES, ORPHAN_SECONDS = 3, 2
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
    database = Database(owner_url(), environment.ca_file("MYSQL_SSL_CA"))
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
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return "MySQL's certificate is not one that MYSQL_SSL_CA vouches for"
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
    if ca := environment.ca_file("MYSQL_SSL_CA"):
        # Go trusts the certificates of this file and of this folder: of no folder, as the services do.
        options.update(SSL_CERT_FILE=ca, SSL_CERT_DIR=os.devnull)
    # In the environment, not among the arguments: those anybody may read in `ps`.
    options["DATABASE_URL"] = _as_go_reads_it(owner_url(), tls=bool(ca))
    # One whose parent was killed works on without the lock. Each file may be done twice; who comes second to note it
    # fails, and finds it done at the next try. But a rollback said twice may go back two steps.
    for tries_left in reversed(range(1 if verb == "rollback" else DBMATE_TRIES)):
        if (code := _run(command, {**os.environ, **options})) == 0:
            return
        if tries_left:
            log.info("dbmate failed; once more, in case another of an earlier start is still at work")
            time.sleep(ORPHAN_SECONDS)
    raise MigrationFailed(f"dbmate could not {verb} {folder} (exit code {code}); its own words stand above")


def _run(command, variables):
    child = subprocess.Popen(command, env=variables)

    def stop(*_):
        child.terminate()
        raise SystemExit(143)

    previous = signal.signal(signal.SIGTERM, stop)
    code = child.wait()
    signal.signal(signal.SIGTERM, previous)
    return code


def _as_go_reads_it(url, tls):
    """The URL with all quoted that may be: one that Go's stricter parser refuses it prints, the password in it."""
    parts = urlsplit(url)
    user, password = (quote(unquote(each or ""), safe="") for each in (parts.username, parts.password))
    host = parts.netloc.rpartition("@")[2]
    query = "&".join(filter(None, (parts.query, "tls=true" if tls else "")))
    return urlunsplit(("mysql", f"{user}:{password}@{host}", quote(unquote(parts.path)), query, ""))
