"""A primary and its replica, with GTIDs. The replica can be made to lag, and be promoted."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.database_server import DatabaseServer, LocalServer, MySQLContainer, is_mariadb
from tests.eventually import eventually

CATCH_UP_SECONDS = 30
_OPTIONS = ("--default-time-zone=+00:00", "--character-set-server=utf8mb4", "--collation-server=utf8mb4_bin")


class Dialect(NamedTuple):
    """The statements of a kind of server."""

    server: Callable[[Path, int, int], DatabaseServer]  # of a folder, a server id, a port
    missing: Callable[[], str | None]  # why no such server can be started here
    create_user: str
    forget_history: tuple[str, ...]  # so that both begin with the same, empty set of transactions
    follow: str
    start: str
    stop: str
    forget_primary: str
    executed: str  # what the primary has
    await_executed: str  # 0 once the replica has it too


def _mariadb(folder: Path, number: int, port: int) -> DatabaseServer:
    return LocalServer(
        folder, (*_OPTIONS, f"--server-id={number}", "--log-bin=binlog", "--binlog-format=ROW"), (), port
    )


def _mysql(folder: Path, number: int, port: int) -> DatabaseServer:
    gtids = ("--gtid-mode=ON", "--enforce-gtid-consistency=ON")
    return MySQLContainer(folder, (*_OPTIONS, f"--server-id={number}", *gtids), port)


def _no_mariadb() -> str | None:
    return None if is_mariadb() else "MYSQLD does not name a MariaDB server"


MARIADB = Dialect(
    server=_mariadb,
    missing=_no_mariadb,
    create_user="CREATE USER 'replica'@'127.0.0.1' IDENTIFIED BY 'replica'",
    forget_history=("RESET MASTER", "SET GLOBAL gtid_slave_pos = ''"),
    follow="CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {port}, MASTER_USER = 'replica',"
    " MASTER_PASSWORD = 'replica', MASTER_USE_GTID = slave_pos",
    start="START SLAVE",
    stop="STOP SLAVE",
    forget_primary="RESET SLAVE ALL",
    executed="SELECT @@gtid_binlog_pos",
    await_executed="SELECT MASTER_GTID_WAIT('{executed}', 1)",
)
MYSQL = Dialect(
    server=_mysql,
    missing=MySQLContainer.missing,
    create_user="CREATE USER 'replica'@'127.0.0.1' IDENTIFIED BY 'replica'",
    forget_history=("RESET BINARY LOGS AND GTIDS",),
    follow="CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = {port}, SOURCE_USER = 'replica',"
    " SOURCE_PASSWORD = 'replica', SOURCE_AUTO_POSITION = 1, GET_SOURCE_PUBLIC_KEY = 1",
    start="START REPLICA",
    stop="STOP REPLICA",
    forget_primary="RESET REPLICA ALL",
    executed="SELECT @@gtid_executed",
    await_executed="SELECT WAIT_FOR_EXECUTED_GTID_SET('{executed}', 1)",
)


class Pair:
    """Both are in the services' list of hosts, the primary first."""

    one_server = True

    def __init__(self, dialect: Dialect, folder: Path, first_port: int) -> None:
        self._dialect = dialect
        self.primary: DatabaseServer = dialect.server(folder / "primary", 1, first_port)
        self.replica: DatabaseServer = dialect.server(folder / "replica", 2, first_port + 1)
        self._serving = self.primary

    def hosts(self, service: str) -> str:
        return f"127.0.0.1:{self.primary.port},127.0.0.1:{self.replica.port}"

    def migration_hosts(self, service: str) -> str:
        return self.hosts(service)

    def port(self) -> int:
        return self._serving.port

    def start(self) -> None:
        dialect = self._dialect
        for server in (self.primary, self.replica):
            server.start()
            server.execute(
                dialect.create_user, "GRANT REPLICATION SLAVE ON *.* TO 'replica'@'127.0.0.1'", *dialect.forget_history
            )
        self.replica.execute(dialect.follow.format(port=self.primary.port), dialect.start, "SET GLOBAL read_only = 1")

    def let_the_replica_lag(self) -> None:
        """From now on the replica receives no further transaction."""
        ((executed,),) = self.primary.execute(self._dialect.executed)
        caught_up = self._dialect.await_executed.format(executed=executed.replace("\n", ""))
        eventually(lambda: self.replica.execute(caught_up) == ((0,),), CATCH_UP_SECONDS, "the replica to catch up")
        self.replica.execute(self._dialect.stop)

    def promote(self) -> None:
        """Kill the primary and let the replica take its place, without what it has not learned."""
        self.primary.kill()
        self.replica.execute(self._dialect.stop, self._dialect.forget_primary, "SET GLOBAL read_only = 0")
        self._serving = self.replica

    def close(self) -> None:
        self.primary.kill()
        self.replica.kill()


@contextmanager
def pair(dialect: Dialect, folder: Path, first_port: int) -> Iterator[Pair]:
    servers = Pair(dialect, folder, first_port)
    try:
        servers.start()
        yield servers
    finally:
        servers.close()
