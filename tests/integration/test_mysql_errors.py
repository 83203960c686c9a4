"""The errors of the server that MYSQLD names: each situation gives its number, and means what it should to a service.

The situations and their numbers are in tests/unit/test_mysql_errors.py.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from urllib.parse import quote

import pymysql
import pytest

from common.mysql import Database
from common.mysql.errors import Conflict, DatabaseUnavailable, code_of
from tests.database_server import DatabaseServer, LocalServer, database_server
from tests.eventually import eventually
from tests.unit.test_mysql_errors import PROVOKED

STATEMENTS = {
    "unknown column": "SELECT nothing FROM t",
    "no such table": "SELECT 1 FROM nothing",
    "syntax": "SELEC 1",
    "privilege of a table is missing": "SELECT * FROM mysql.user",
    "privilege of the server is missing": "CREATE USER somebody",
    "unknown variable": "SET SESSION nothing = 1",
    "column without a value": "INSERT INTO t (id) VALUES (9)",
    "more columns than values": "INSERT INTO t VALUES (9)",
    "duplicate key": "INSERT INTO t VALUES (1, 1, '')",
    "value too long": "INSERT INTO t VALUES (9, 1, '123456')",
    "value out of range": "INSERT INTO t VALUES (9, 1000, '')",
    "value of another type": "INSERT INTO t VALUES (9, 'one', '')",
    "NULL": "INSERT INTO t VALUES (9, NULL, '')",
    "CHECK": "INSERT INTO t VALUES (9, -1, '')",
    "row that is referred to is missing": "INSERT INTO child VALUES (9, 9)",
    "row is referred to": "DELETE FROM t WHERE id = 3",
    "arithmetic beyond BIGINT": "SELECT 18446744073709551615 + CAST(1 AS UNSIGNED)",
    "table is full": "INSERT INTO full_table SELECT REPEAT('x', 200) FROM information_schema.columns",
    "transaction is read-only": "COMMIT; START TRANSACTION READ ONLY; UPDATE t SET n = n",
}
UPDATE = "UPDATE t SET n = n + 1 WHERE id = 1"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with database_server(tmp_path_factory.mktemp("errors"), ["--log-bin=binlog", "--server-id=1"]) as server:
        server.execute(
            "USE wallet_test",
            "CREATE TABLE t (id INT PRIMARY KEY, n TINYINT NOT NULL, s VARCHAR(5), CHECK (n >= 0)) ENGINE = InnoDB",
            "CREATE TABLE child (id INT PRIMARY KEY, t_id INT NOT NULL, FOREIGN KEY (t_id) REFERENCES t (id))"
            " ENGINE = InnoDB",
            "INSERT INTO t VALUES (1, 1, ''), (2, 2, ''), (3, 3, '')",
            "INSERT INTO child VALUES (1, 3)",
            "SET SESSION max_heap_table_size = 16384",
            "CREATE TABLE full_table (s CHAR(255)) ENGINE = MEMORY",
            "GRANT ALL PRIVILEGES ON wallet_test.* TO 'tests'@'%'",
        )
        yield server


@pytest.fixture
def database(server: DatabaseServer) -> Database:
    return Database(server.url("tests", "wallet_test"))


def run(database: Database, *statements: str) -> None:
    with database.transaction() as cursor:
        for statement in statements:
            cursor.execute(statement)


def check(server: DatabaseServer, situation: str, work: Callable[[], object]) -> None:
    """Run the work: it must raise what PROVOKED has for the situation."""
    mysql, mariadb, expected = next(each[1:] for each in PROVOKED if each[0] == situation)
    with pytest.raises(Exception) as raised:  # noqa: PT011  # its kind is checked here
        work()
    error = raised.value
    assert code_of(error.__cause__ if expected else error) == (mariadb if server.mariadb else mysql), error
    if expected:
        assert isinstance(error, expected)
    else:
        assert not isinstance(error, (Conflict, DatabaseUnavailable))


@contextmanager
def locked_row(server: DatabaseServer) -> Iterator[None]:
    with closing(server.admin(database="wallet_test")) as other, other.cursor() as cursor:
        other.begin()
        cursor.execute(UPDATE)
        yield
        other.rollback()


def waiting(server: DatabaseServer) -> int:
    """The id of the connection that waits for the locked row."""

    def found() -> int:
        for connection, user, _, _, _, _, _, statement, *_ in server.execute("SHOW PROCESSLIST"):
            if user == "tests" and statement and UPDATE in statement:
                return int(connection)
        return 0

    return eventually(found)


@pytest.mark.parametrize("situation", STATEMENTS)
def test_an_error_of_a_statement(server: DatabaseServer, database: Database, situation: str) -> None:
    check(server, situation, lambda: run(database, *STATEMENTS[situation].split("; ")))


def test_a_deadlock(server: DatabaseServer, database: Database) -> None:
    # MySQL ends the transaction that has changed less: ours, which has changed one row of three.
    with closing(server.admin(database="wallet_test")) as other, other.cursor() as cursor:
        other.begin()
        cursor.execute("UPDATE t SET s = 'x' WHERE id IN (2, 3)")

        def meet() -> None:
            with database.transaction() as ours:
                ours.execute(UPDATE)
                thread = threading.Thread(target=cursor.execute, args=("UPDATE t SET s = 'x' WHERE id = 1",))
                thread.start()
                try:
                    ours.execute("UPDATE t SET s = 'y' WHERE id = 2")
                finally:
                    thread.join()

        check(server, "deadlock", meet)
        other.rollback()


def test_a_locked_row(server: DatabaseServer, database: Database) -> None:
    wait, nowait = "row is locked for longer than innodb_lock_wait_timeout", "row is locked, and NOWAIT"
    with locked_row(server):
        check(server, wait, lambda: run(database, "SET SESSION innodb_lock_wait_timeout = 1", UPDATE))
        check(server, nowait, lambda: run(database, "SELECT * FROM t WHERE id = 1 FOR UPDATE NOWAIT"))


@pytest.mark.parametrize("lock", ["LOCK TABLES wallet_test.t WRITE", "FLUSH TABLES WITH READ LOCK"])
def test_a_locked_table(server: DatabaseServer, database: Database, lock: str) -> None:
    situation = "table is locked (LOCK TABLES, FLUSH TABLES WITH READ LOCK)"
    with closing(server.admin()) as other, other.cursor() as cursor:
        cursor.execute(lock)

        check(server, situation, lambda: run(database, "SET SESSION lock_wait_timeout = 1", UPDATE))


def test_a_row_that_changed_since_it_was_read(server: DatabaseServer, database: Database) -> None:
    if not server.mariadb:
        pytest.skip("MySQL has no innodb_snapshot_isolation")

    def read_and_write() -> None:
        with database.transaction() as cursor:
            cursor.execute("COMMIT")
            cursor.execute("SET SESSION innodb_snapshot_isolation = 1")
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            cursor.execute("BEGIN")
            cursor.execute("SELECT * FROM t")
            server.execute("UPDATE wallet_test.t SET s = 'z' WHERE id = 1")
            cursor.execute(UPDATE)

    check(server, "row has changed since it was read (innodb_snapshot_isolation)", read_and_write)


def test_read_only(server: DatabaseServer, database: Database) -> None:
    def write_while_it_is_set() -> None:
        with database.transaction() as cursor:
            cursor.execute(UPDATE)
            server.execute("SET GLOBAL read_only = 1")

    try:
        check(server, "read_only was set between a statement and its COMMIT", write_while_it_is_set)
        check(server, "read_only", lambda: run(database, UPDATE))
        if not server.mariadb:
            server.execute("SET GLOBAL super_read_only = 1")
            admin = Database(server.url("admin", "wallet_test"))
            check(server, "super_read_only", lambda: run(admin, UPDATE))
    finally:
        if not server.mariadb:
            server.execute("SET GLOBAL super_read_only = 0")
        server.execute("SET GLOBAL read_only = 0")


def test_a_binary_log_of_statements(server: DatabaseServer, database: Database) -> None:
    ((before,),) = server.execute("SELECT @@GLOBAL.binlog_format")
    server.execute("SET GLOBAL binlog_format = 'STATEMENT'")
    try:
        situation = "binlog_format = STATEMENT, which READ COMMITTED does not allow"
        check(server, situation, lambda: run(database, UPDATE))
        with pytest.raises(DatabaseUnavailable, match="SET GLOBAL binlog_format = ROW"):
            run(database, UPDATE)
    finally:
        server.execute(f"SET GLOBAL binlog_format = '{before}'")

    run(database, UPDATE)


def test_a_schema_that_is_read_only(server: DatabaseServer, database: Database) -> None:
    if server.mariadb:
        pytest.skip("MariaDB has no read-only schemas")
    server.execute("ALTER SCHEMA wallet_test READ ONLY = 1")
    try:
        check(server, "schema is read-only", lambda: run(database, UPDATE))
    finally:
        server.execute("ALTER SCHEMA wallet_test READ ONLY = 0")


def test_offline_mode(server: DatabaseServer, database: Database) -> None:
    if server.mariadb:
        pytest.skip("MariaDB has no offline_mode")
    with closing(database.connect()) as before, before.cursor() as cursor:
        server.execute("SET GLOBAL offline_mode = 1")
        try:
            check(server, "offline_mode, new connection", database.connect)
            with pytest.raises(pymysql.OperationalError, match="2013"):  # as in PROVOKED
                cursor.execute("SELECT 1")
        finally:
            server.execute("SET GLOBAL offline_mode = 0")


@pytest.mark.parametrize(("situation", "kill"), [("KILL during a statement", "KILL"), ("KILL QUERY", "KILL QUERY")])
def test_a_statement_that_is_killed(server: DatabaseServer, database: Database, situation: str, kill: str) -> None:
    with locked_row(server):
        thread = threading.Thread(target=lambda: server.execute(f"{kill} {waiting(server)}"))
        thread.start()

        check(server, situation, lambda: run(database, UPDATE))
        thread.join()


def test_a_statement_that_takes_longer_than_the_server_allows(server: DatabaseServer, database: Database) -> None:
    limit = "max_statement_time = 0.2" if server.mariadb else "max_execution_time = 200"
    slow = "SELECT BENCHMARK(1000000000, SHA2('a', 256)) FROM t"

    check(
        server,
        "statement takes longer than the server allows",
        lambda: run(database, f"SET SESSION {limit}", slow),
    )


def test_limits_of_a_user(server: DatabaseServer) -> None:
    server.execute(
        "CREATE USER limited@'%' IDENTIFIED BY 'limited' WITH MAX_USER_CONNECTIONS 1",
        "GRANT ALL PRIVILEGES ON wallet_test.* TO limited@'%'",
    )
    limited = Database(server.url("limited", "wallet_test"))
    with closing(limited.connect()) as only:
        check(server, "too many connections of a user", limited.connect)
        assert only.open
    server.execute("ALTER USER limited@'%' WITH MAX_USER_CONNECTIONS 0 MAX_QUERIES_PER_HOUR 20")
    many = ["SELECT 1"] * 20

    check(server, "too many statements of a user", lambda: run(limited, *many))


def test_too_many_connections(server: DatabaseServer, database: Database) -> None:
    server.execute("SET GLOBAL max_connections = 10")
    opened = []
    try:
        check(server, "too many connections", lambda: [opened.append(database.connect()) for _ in range(20)])
    finally:
        for connection in opened:
            connection.close()
        eventually(lambda: _done(lambda: server.execute("SET GLOBAL max_connections = 151")))


def test_a_packet_that_is_too_large(server: DatabaseServer, database: Database) -> None:
    # The cursor refuses it with the server's number: the server would end the connection, at times without an error.
    ((_, limit),) = server.execute("SHOW GLOBAL VARIABLES LIKE 'max_allowed_packet'")

    check(server, "packet too large", lambda: run(database, f"SELECT '{'x' * int(limit)}'"))


def test_a_password_of_any_characters_is_accepted(server: DatabaseServer) -> None:
    password = "ação €/@:%"
    server.execute(f"CREATE USER acao@'%' IDENTIFIED BY '{password}'", "GRANT ALL ON wallet_test.* TO acao@'%'")
    url = f"mysql://acao:{quote(password, safe='')}@127.0.0.1:{server.port}/wallet_test"

    with closing(Database(url).connect()) as connection:
        assert connection.open


def test_who_is_not_let_in(server: DatabaseServer) -> None:
    def connect(user: str, schema: str = "wallet_test", password: str = "") -> None:
        # Without this project's class, which makes an outage of each.
        where = {"host": "127.0.0.1", "port": server.port, "database": schema, "ssl_disabled": True}
        with closing(pymysql.connect(user=user, password=password or user, **where)) as connection:
            connection.query("SELECT 1")

    server.execute("CREATE USER visitor@'%' IDENTIFIED BY 'visitor'", "GRANT ALL ON wallet_test.* TO visitor@'%'")

    check(server, "wrong password, user is gone", lambda: connect("visitor", password="wrong"))
    check(server, "no privilege of the database", lambda: connect("visitor", "mysql"))
    check(server, "no such database", lambda: connect("admin", "nothing"))
    server.execute("ALTER USER visitor@'%' ACCOUNT LOCK")
    check(server, "account is locked", lambda: connect("visitor"))
    server.execute("ALTER USER visitor@'%' ACCOUNT UNLOCK", "ALTER USER visitor@'%' PASSWORD EXPIRE")
    check(server, "password has expired", lambda: connect("visitor"))
    with pytest.raises(DatabaseUnavailable):
        Database(server.url("visitor", "wallet_test")).connect()


def test_a_shutdown(server: LocalServer, database: Database) -> None:
    """The last test of the server: it ends."""
    with closing(server.admin(database="wallet_test")) as other, other.cursor() as cursor:
        other.begin()
        cursor.execute(UPDATE)

        def shut_down() -> None:
            waiting(server)
            server.execute("SHUTDOWN")

        thread = threading.Thread(target=shut_down)
        thread.start()
        check(server, "shutdown during a statement", lambda: run(database, UPDATE))
        thread.join()
    assert server.process
    server.process.wait(timeout=30)

    check(server, "nobody listens", lambda: run(database, UPDATE))


def _done(work: Callable[[], object]) -> bool:
    with suppress(pymysql.MySQLError):
        work()
        return True
    return False
