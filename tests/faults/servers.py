"""The database servers of a system under test: the one of ./local.sh here, other topologies in modules of their own."""

from typing import Protocol

from tests.faults.proxy import Proxy


class Servers(Protocol):
    one_server: bool  # all instances read and write the same one

    def hosts(self, service: str) -> str:
        """The hosts in the DATABASE_URL of that service ("wallet-2"), most preferred first."""

    def migration_hosts(self, service: str) -> str:
        """The same for MIGRATIONS_DATABASE_URL."""

    def port(self) -> int:
        """The port of a server that accepts writes, for the checks."""


class OneServer:
    """The server of ./local.sh. The services reach it through a proxy each."""

    one_server = True

    def __init__(self, port: int) -> None:
        self._port = port
        self.proxies = {"wallet-mysql": Proxy(port), "balances-mysql": Proxy(port)}

    def hosts(self, service: str) -> str:
        return f"127.0.0.1:{self.proxies[service.split('-')[0] + '-mysql'].port}"

    def migration_hosts(self, service: str) -> str:
        return f"127.0.0.1:{self._port}"

    def port(self) -> int:
        return self._port
