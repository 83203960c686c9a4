"""Migrations and seeds as the entrypoint runs them: down and up again, several at once, killed in the middle."""

import os
import re
import signal
import subprocess
import sys
import time
from decimal import Decimal
from urllib.parse import urlsplit, urlunsplit

import pytest

from common import migrate
from common.mysql import Database, DatabaseUnavailable
from tests.eventually import eventually
from tests.integration import tables
from tests.integration.service import ROOT, run_command, start_command
from tests.integration.tables import execute, rows, value
from tests.seeds import skip_without_seeds

SERVICES = ("wallet", "balances")


@pytest.fixture(scope="module")
def urls(wallet_url, balances_url):
    """Both databases. After the tests both are migrated again."""
    urls = {"wallet": wallet_url, "balances": balances_url}
    yield urls
    for service, url in urls.items():
        tables.drop_all(Database(url))
        assert run_command(service, url, "migrate").returncode == 0


@pytest.fixture(params=SERVICES)
def service(request):
    return request.param


@pytest.fixture
def url(urls, service):
    return urls[service]


@pytest.fixture
def database(url):
    return Database(url)


def files(service, kind):
    return sorted((ROOT / "db" / service / kind).glob("*.sql"))


def roll_back_all(service, url, kind, table):
    """As often as there are files, in one process, because a process is slow to start."""
    script = (
        "from common import migrate; from pathlib import Path;"
        f"[migrate.rollback(Path('db/{service}/{kind}'), {table!r}) for _ in range({len(files(service, kind))})]"
    )
    subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env={**os.environ, "DATABASE_URL": url}, check=True, timeout=50
    )


def schema(database):
    """The statement that creates each table, by its name."""
    names = [name for (name,) in rows(database, "SHOW TABLES")]
    statements = {name: rows(database, f"SHOW CREATE TABLE `{name}`")[0][1] for name in names}
    return {name: re.sub(r" AUTO_INCREMENT=\d+", "", statement) for name, statement in statements.items()}


def migrate_all(service, url, monkeypatch):
    """In this process, which is faster than a new one."""
    monkeypatch.setenv("DATABASE_URL", url)
    migrate.migrate(ROOT / "db" / service / "migrations")


def test_every_migration_goes_down_and_up_again(service, url, database):
    tables.drop_all(database)  # also seed_migrations, if a test before this one seeded
    run_command(service, url, "migrate")
    before = schema(database)

    roll_back_all(service, url, "migrations", "schema_migrations")
    left = set(schema(database))
    again = run_command(service, url, "migrate")

    assert left == {"schema_migrations"}
    assert again.returncode == 0
    assert schema(database) == before


def test_every_migration_can_run_again_after_those_that_follow_it(service, url, database, monkeypatch):
    tables.drop_all(database)
    migrate_all(service, url, monkeypatch)
    before = schema(database)
    versions = [version for (version,) in rows(database, "SELECT version FROM schema_migrations")]

    changed = []
    for version in versions:
        execute(database, "DELETE FROM schema_migrations WHERE version = %s", version)
        migrate_all(service, url, monkeypatch)
        if schema(database) != before:
            changed.append(version)

    assert len(versions) == len(files(service, "migrations"))
    assert changed == []


# As `migrate`, without GET_LOCK: nodes of a cluster do not share it.
WITHOUT_LOCK = """
import sys
from pathlib import Path
from common.migrate import _dbmate, wait_for_mysql
_dbmate(wait_for_mysql(), Path(sys.argv[1]), "schema_migrations", "migrate")
"""


def test_processes_that_share_no_lock_all_migrate(service, url, database):
    tables.drop_all(database)
    command = [sys.executable, "-c", WITHOUT_LOCK, f"db/{service}/migrations"]
    options = {"cwd": ROOT, "env": {**os.environ, "DATABASE_URL": url}, "text": True}

    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options) for _ in range(3)
    ]
    outputs = [process.communicate(timeout=50)[0] for process in processes]

    assert [process.returncode for process in processes] == [0, 0, 0], outputs
    assert value(database, "SELECT COUNT(*) FROM schema_migrations") == len(files(service, "migrations"))


def test_every_table_names_its_engine_row_format_and_character_set(service):  # the defaults of a server may differ
    statements = [file.read_text(encoding="utf-8") for file in files(service, "migrations")]

    created = [statement for statement in statements if "CREATE TABLE" in statement]
    options = "ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
    assert [statement for statement in created if options not in statement] == []


def test_migrating_twice_changes_nothing(service, url):
    run_command(service, url, "migrate")

    again = run_command(service, url, "migrate")

    assert (again.returncode, "Applying" in again.stdout) == (0, False)


def test_replicas_that_start_at_the_same_moment_all_come_up(service, url, database):
    tables.drop_all(database)

    replicas = [start_command(service, url, "migrate") for _ in range(3)]
    outputs = [replica.communicate(timeout=50)[0] for replica in replicas]

    assert [replica.returncode for replica in replicas] == [0, 0, 0], outputs
    assert "".join(outputs).count("Applied:") == len(files(service, "migrations"))


def test_a_sigkill_in_the_middle_does_not_block_the_next_start(service, url, database):
    tables.drop_all(database)
    killed = start_command(service, url, "migrate", start_new_session=True)  # a process group, as in a container
    for line in killed.stdout:
        if "Applying:" in line:  # dbmate is in the middle of the first file, and its parent holds the lock
            break
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait(10)
    killed.stdout.close()
    started = time.monotonic()

    after = run_command(service, url, "migrate")

    assert after.returncode == 0, after.stdout + after.stderr
    assert time.monotonic() - started < 10
    assert value(database, "SELECT COUNT(*) FROM schema_migrations") == len(files(service, "migrations"))


SLOW_MIGRATION = """-- migrate:up
CREATE TABLE IF NOT EXISTS slow (slept INT PRIMARY KEY) AS SELECT SLEEP(3) AS slept;

-- migrate:down
DROP TABLE slow;
"""


def test_a_dbmate_that_outlives_its_parent_does_not_block_the_next_start(urls, tmp_path):
    database = Database(urls["balances"])
    tables.drop_all(database)
    (tmp_path / "1_slow.sql").write_text(SLOW_MIGRATION)
    command = [sys.executable, "-c", f"from common import migrate; migrate.migrate({str(tmp_path)!r})"]
    environment = {**os.environ, "DATABASE_URL": urls["balances"]}
    killed = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    for line in killed.stdout:
        if "Applying:" in line:
            break
    killed.kill()  # the parent only, not its group
    killed.wait(10)

    after = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=50)
    killed.stdout.close()

    assert after.returncode == 0, after.stdout + after.stderr
    assert rows(database, "SELECT version FROM schema_migrations") == (("1",),)


@pytest.mark.parametrize(
    ("lost", "message"),
    [(["lock"], "Applied: 1_slow.sql"), (["lock", "dbmate"], "connection to MySQL lost; retrying")],
    ids=["that of the lock", "both"],
)
def test_a_connection_lost_during_a_migration_ends_in_no_traceback(urls, tmp_path, lost, message):
    database = Database(urls["balances"])
    tables.drop_all(database)
    (tmp_path / "1_slow.sql").write_text(SLOW_MIGRATION)
    script = (
        "from common import log, migrate; from pathlib import Path;"
        f"log.configure('balances'); migrate.migrate(Path({str(tmp_path)!r}))"
    )
    migrating = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": urls["balances"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    connections = {
        "dbmate": eventually(lambda: slow_statement(database)),
        "lock": value(database, "SELECT IS_USED_LOCK(CONCAT(DATABASE(), '.migrations'))"),
    }

    for each in lost:
        execute(database, f"KILL {connections[each]}")
    output, _ = migrating.communicate(timeout=50)

    assert migrating.returncode == 0, output
    assert message in output
    assert "Traceback" not in output
    assert rows(database, "SELECT version FROM schema_migrations") == (("1",),)


def slow_statement(database):
    """The id of the connection that runs SLOW_MIGRATION, or None."""
    found = (each[0] for each in rows(database, "SHOW PROCESSLIST") if "SLEEP(3)" in (each[7] or ""))
    return next(found, None)


def test_a_migration_that_ran_but_was_not_recorded_runs_again(service, url, database):
    run_command(service, url, "migrate")
    before = schema(database)
    execute(database, "DELETE FROM schema_migrations")  # MySQL commits a CREATE TABLE before dbmate records it

    again = run_command(service, url, "migrate")

    assert again.returncode == 0, again.stdout + again.stderr
    assert schema(database) == before


def test_a_failed_migration_names_the_reason_and_not_the_password(service, url, database):
    run_command(service, url, "migrate")
    execute(database, "DROP TABLE schema_migrations")
    execute(database, "CREATE TABLE schema_migrations (not_what_dbmate_expects INT PRIMARY KEY)")

    refused = run_command(service, url, "migrate")
    tables.drop_all(database)

    assert refused.returncode != 0
    assert "dbmate could not migrate" in refused.stderr
    assert ":tests@" not in refused.stdout + refused.stderr


# ---- the entrypoint before MySQL is available


def test_the_entrypoint_waits_for_mysql_and_ends_at_once_on_sigterm(service, tmp_path):
    environment = {
        "PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}",
        "DATABASE_URL": "mysql://somebody:secret@127.0.0.1:1/none",
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "PORT": "1",
    }
    log = tmp_path / "log"
    with log.open("w") as output:
        waiting = subprocess.Popen(
            ["bash", ROOT / "entrypoint.sh", service], env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    eventually(lambda: "waiting for MySQL" in log.read_text())
    started = time.monotonic()

    waiting.terminate()

    assert waiting.wait(10) == 143
    assert time.monotonic() - started < 2
    assert "secret" not in log.read_text()


def test_the_user_of_the_tests_has_no_access_to_the_demo_databases(service, url):
    demo = urlunsplit(urlsplit(url)._replace(path=f"/{service}"))

    with pytest.raises(DatabaseUnavailable, match="1044"):
        Database(demo).connect()


# ---- seeds


@pytest.fixture
def seeded(urls):
    """Both databases, migrated and seeded."""
    skip_without_seeds()
    databases = {service: Database(url) for service, url in urls.items()}
    for database in databases.values():
        tables.drop_all(database)
    for command in ("migrate", "seed"):
        # In parallel: a process is slow to start.
        running = [start_command(service, url, command) for service, url in urls.items()]
        outputs = [process.communicate(timeout=50)[0] for process in running]
        assert [process.returncode for process in running] == [0, 0], outputs
    return databases


def test_both_services_are_seeded_with_the_same_accounts_and_balances(seeded):
    accounts = rows(seeded["wallet"], "SELECT id, balance FROM accounts ORDER BY id")

    assert rows(seeded["balances"], "SELECT account_id, balance FROM balances ORDER BY account_id") == accounts
    assert set(rows(seeded["balances"], "SELECT sequence FROM balances")) == {(0,)}
    assert value(seeded["wallet"], "SELECT COUNT(*) FROM clients") == 10
    assert {client for (client,) in rows(seeded["wallet"], "SELECT client_id FROM accounts")} == {
        client for (client,) in rows(seeded["wallet"], "SELECT id FROM clients")
    }


def test_the_seeded_transactions_add_up_with_the_balances(seeded):
    balances = dict(rows(seeded["wallet"], "SELECT id, balance FROM accounts"))
    transfers = rows(seeded["wallet"], "SELECT account_id_from, account_id_to, amount FROM transactions")

    opened = dict.fromkeys(balances, Decimal(1000))
    for source, target, amount in transfers:
        opened[source] -= amount
        opened[target] += amount

    assert opened == balances


def test_seeding_again_changes_no_existing_row(seeded, urls):
    known = "a0000000-0000-4000-8000-000000000001"
    execute(seeded["wallet"], "UPDATE accounts SET balance = 1 WHERE id = %s", known)
    execute(seeded["balances"], "UPDATE balances SET balance = 1, sequence = 7 WHERE account_id = %s", known)
    for service, database in seeded.items():
        execute(database, "DELETE FROM seed_migrations")  # as if killed before it was recorded

        assert run_command(service, urls[service], "seed").returncode == 0

    assert value(seeded["wallet"], "SELECT balance FROM accounts WHERE id = %s", known) == 1
    assert rows(seeded["balances"], "SELECT balance, sequence FROM balances WHERE account_id = %s", known) == ((1, 7),)


def test_the_seeds_can_be_rolled_back(seeded, urls):
    for service, url in urls.items():
        roll_back_all(service, url, "seeds", "seed_migrations")

    assert value(seeded["wallet"], "SELECT COUNT(*) FROM clients") == 0
    assert value(seeded["balances"], "SELECT COUNT(*) FROM balances") == 0
