"""A database URL in dbmate's form: mysql://user:password@host:port/database. Several hosts are separated by commas."""

from contextlib import suppress
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

from common.environment import ConfigurationError

PORT = 3306


class Address(NamedTuple):
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class DatabaseUrl(NamedTuple):
    user: str
    password: str
    addresses: tuple[Address, ...]
    database: str
    query: str  # options, only for dbmate

    def of_one(self, address: Address, **options: str) -> str:
        """The URL with this address only, quoted as far as possible: Go's parser prints a URL that it refuses."""
        credentials = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}"
        query = "&".join([*filter(None, [self.query]), *(f"{name}={quote(value)}" for name, value in options.items())])
        return f"mysql://{credentials}@{address}/{quote(self.database)}" + (f"?{query}" if query else "")


def parse(url: str) -> DatabaseUrl:
    """The parts of the URL. Raises ConfigurationError, without the password, if the URL has another form."""
    with suppress(ValueError):  # the parser's message would quote a password with a / or a #
        parts = urlsplit(url)
        credentials, _, hosts = parts.netloc.rpartition("@")
        user, _, password = credentials.partition(":")
        addresses = tuple(_address(each) for each in hosts.split(","))
        user, password, database = (unquote(each, errors="strict") for each in (user, password, parts.path.strip("/")))
        if parts.scheme == "mysql" and database and not parts.fragment:
            return DatabaseUrl(user, password, addresses, database, parts.query)
    form = "mysql://user:password@host:port/database (or host:port,host:port for several servers)"
    raise ConfigurationError(
        "DATABASE_URL (or MIGRATIONS_DATABASE_URL)", f"has the form {form}, special characters of a password as %XX"
    )


def _address(text: str) -> Address:
    parts = urlsplit(f"//{text}")
    if not parts.hostname or parts.port == 0 or parts.path:
        raise ValueError("no host")
    return Address(parts.hostname, parts.port or PORT)
