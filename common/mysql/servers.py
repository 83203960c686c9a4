"""The servers that a database URL lists: the first that accepts writes is used."""

import logging

import pymysql

from common.mysql.connection import Connection
from common.mysql.errors import DatabaseUnavailable
from common.mysql.url import Address, DatabaseUrl

log = logging.getLogger("mysql")


class Servers:
    def __init__(self, url: DatabaseUrl, ssl_ca: str | None) -> None:
        self._url, self._ssl_ca = url, ssl_ca
        self._address = url.addresses[0]  # the last that accepted writes

    def connect(self) -> Connection:
        """A new connection to a server that accepts writes, or to one that can be read if none accepts writes.

        Raises DatabaseUnavailable when no server can be reached.
        """
        addresses = self._url.addresses
        first = addresses.index(self._address)
        readable: Connection | None = None
        refusal: DatabaseUnavailable | None = None
        for address in (*addresses[first:], *addresses[:first]):
            try:
                connection, writable = self._connect_to(address)
            except (pymysql.MySQLError, OSError) as error:
                if refusal is None:
                    refusal = DatabaseUnavailable(str(error))
                    refusal.__cause__ = error
                continue
            if writable:
                self._use(address)
                if readable:
                    readable.discard()
                return connection
            if readable:
                connection.discard()
            readable = readable or connection
        if readable:
            return readable
        raise refusal or DatabaseUnavailable("no server is named")

    def _connect_to(self, address: Address) -> tuple[Connection, bool]:
        """A connection, and whether its server accepts writes. A single server is not asked."""
        url = self._url
        connection = Connection(address, url.user, url.password, url.database, self._ssl_ca)
        try:
            connection.prepare()
            return connection, len(url.addresses) == 1 or connection.accepts_writes()
        except BaseException:
            connection.discard()
            raise

    def _use(self, address: Address) -> None:
        if address != self._address:
            log.warning(
                "switched to another database server", extra={"address": str(address), "was": str(self._address)}
            )
            self._address = address
