"""The services on a server whose own settings are against them: each connection sets all that its statements rely on."""

import os
import subprocess
import sys

import pytest

from tests.database_server import DatabaseServer, database_server, is_mariadb
from tests.integration.service import ROOT

HOSTILE = {
    "autocommit": "0",
    "completion_type": "'CHAIN'",
    "foreign_key_checks": "0",
    "unique_checks": "0",
    "innodb_lock_wait_timeout": "1",
    "lock_wait_timeout": "1",
    "wait_timeout": "1",
    "sql_safe_updates": "1",
    "sql_big_selects": "0",
    "max_join_size": "1",
    "sql_select_limit": "1",
    "sql_auto_is_null": "1",
    "sql_warnings": "1",
    "div_precision_increment": "0",
    "group_concat_max_len": "4",
    "max_sort_length": "64",
    "auto_increment_increment": "7",
    "auto_increment_offset": "3",
    "default_storage_engine": "MyISAM",
    "lc_messages": "'pt_BR'",
    "lc_time_names": "'pt_BR'",
    "time_zone": "'+05:30'",
    "max_allowed_packet": "1048576",
    "sql_mode": "'ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH,HIGH_NOT_PRECEDENCE,"
    "NO_AUTO_VALUE_ON_ZERO,NO_UNSIGNED_SUBTRACTION,IGNORE_SPACE,REAL_AS_FLOAT'",
    # Of a session alone: what every user but an administrator begins with.
    "init_connect": "'SET NAMES latin1'",
}
HOSTILE_MARIADB = {
    "tx_isolation": "'SERIALIZABLE'",
    "tx_read_only": "1",
    "check_constraint_checks": "0",
    "max_statement_time": "0.001",
    "innodb_snapshot_isolation": "1",
    "innodb_default_row_format": "'redundant'",
}
HOSTILE_MYSQL = {
    "transaction_isolation": "'SERIALIZABLE'",
    "transaction_read_only": "1",
    "max_execution_time": "1",
    "sql_require_primary_key": "1",
    "explicit_defaults_for_timestamp": "0",
    "innodb_default_row_format": "'redundant'",
}
OPTIONS = ["--character-set-server=latin1", "--collation-server=latin1_swedish_ci"]
# The core of the suite: what its files ask, they must also find here.
FILES = ["test_repositories.py", "test_projection.py", "test_relay.py", "test_ops_dead_letters.py", "test_mysql.py", "test_migrations.py"]


@pytest.fixture(scope="module")
def hostile_server(tmp_path_factory):
    settings = {**HOSTILE, **(HOSTILE_MARIADB if is_mariadb() else HOSTILE_MYSQL)}
    statements = [f"SET GLOBAL {name} = {value}" for name, value in settings.items()]
    with database_server(tmp_path_factory.mktemp("hostile"), OPTIONS, statements) as server:
        yield server


@pytest.mark.timeout(300)
@pytest.mark.parametrize("file", FILES)
def test_the_suite_passes_on_a_server_configured_against_it(hostile_server: DatabaseServer, file: str) -> None:
    urls = {
        f"TEST_{name}_DATABASE_URL": hostile_server.url("tests", f"{name.lower()}_test")
        for name in ("WALLET", "BALANCES")
    }

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"tests/integration/{file}"],
        cwd=ROOT,
        env={**os.environ, **urls},
        capture_output=True,
        text=True,
        timeout=280,
    )

    assert done.returncode == 0, done.stdout + done.stderr
