"""The services on a server with unfavourable defaults: each connection sets all that its statements rely on."""

import os
import subprocess
import sys
from contextlib import closing

import pytest

from common.mysql import Database
from common.mysql.session import LOCK_WAIT_SECONDS, SESSION_WAIT_SECONDS, SQL_MODE
from tests.database_server import DatabaseServer, database_server, is_mariadb
from tests.integration.service import ROOT

pytestmark = pytest.mark.slow

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
# The core of the suite: what these tests ask, they must also find here.
CORE = {
    "wallet": ["test_repositories.py", "test_relay.py", "test_wallet_api.py"],
    "balances": ["test_projection.py", "test_ops_dead_letters.py", "test_consumer.py"],
    "migrations": [
        "test_migrations.py::test_every_migration_goes_down_and_up_again",
        "test_migrations.py::test_both_services_are_seeded_with_the_same_accounts_and_balances",
        "test_migrations.py::test_the_seeds_can_be_rolled_back",
    ],
}


@pytest.fixture(scope="module")
def hostile_server(tmp_path_factory):
    settings = {**HOSTILE, **(HOSTILE_MARIADB if is_mariadb() else HOSTILE_MYSQL)}
    statements = [f"SET GLOBAL {name} = {value}" for name, value in settings.items()]
    with database_server(tmp_path_factory.mktemp("hostile"), OPTIONS, statements) as server:
        yield server


EXPECTED = {
    "autocommit": "ON",
    "character_set_client": "utf8mb4",
    "character_set_connection": "utf8mb4",
    "character_set_results": "utf8mb4",
    "check_constraint_checks": "ON",
    "collation_connection": "utf8mb4_bin",
    "completion_type": "NO_CHAIN",
    "div_precision_increment": "4",
    "foreign_key_checks": "ON",
    "innodb_lock_wait_timeout": str(LOCK_WAIT_SECONDS),
    "lc_messages": "en_US",
    "lock_wait_timeout": str(LOCK_WAIT_SECONDS),
    "max_execution_time": "0",
    "max_statement_time": "0.000000",
    "sql_auto_is_null": "OFF",
    "sql_big_selects": "ON",
    "sql_mode": SQL_MODE,
    "sql_safe_updates": "OFF",
    "sql_select_limit": "18446744073709551615",
    "time_zone": "+00:00",
    "transaction_isolation": "READ-COMMITTED",
    "transaction_read_only": "OFF",
    "tx_isolation": "READ-COMMITTED",
    "tx_read_only": "OFF",
    "unique_checks": "ON",
    "wait_timeout": str(SESSION_WAIT_SECONDS),
}


def test_a_session_has_every_setting_that_the_statements_rely_on(hostile_server: DatabaseServer) -> None:
    database = Database(hostile_server.url("tests", "wallet_test"))

    with closing(database.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW SESSION VARIABLES")
        settings = dict(cursor.fetchall())

    # Of the names that the two servers do not share, each knows one.
    assert {name: value for name, value in settings.items() if name in EXPECTED} == {
        name: value for name, value in EXPECTED.items() if name in settings
    }


@pytest.mark.timeout(300)
@pytest.mark.parametrize("part", CORE)
def test_the_suite_passes_on_a_server_configured_against_it(hostile_server: DatabaseServer, part: str) -> None:
    urls = {
        f"TEST_{name.upper()}_DATABASE_URL": hostile_server.url("tests", f"{name}_test")
        for name in ("wallet", "balances")
    }

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *(f"tests/integration/{each}" for each in CORE[part])],
        cwd=ROOT,
        env={**os.environ, **urls},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
