"""The settings of Wallet; docs/configuration.md explains every variable."""

from dataclasses import dataclass, field
from typing import Any

from common import access, environment
from common.kafka import client_options, security


@dataclass(frozen=True)
class Settings:
    host: str
    port: int
    http_processes: int
    token: str = field(repr=False)  # empty: authentication is disabled
    wallet_url: str  # of each service as a browser reaches it; empty: the pages have no links
    balances_url: str
    database_url: str = field(repr=False)
    mysql_ssl_ca: str | None
    kafka_options: dict[str, Any] = field(repr=False)  # of every Kafka client
    kafka_partitions: int
    kafka_replication: int


def from_environment() -> Settings:
    """Read every variable. Raises ConfigurationError for the first that is missing or wrong."""
    return Settings(
        host=environment.text("HOST", "127.0.0.1"),
        port=environment.integer("PORT", 8080),
        http_processes=environment.integer("HTTP_PROCESSES", 1, high=64),
        token=access.token("WALLET_TOKEN"),
        wallet_url=environment.url("WALLET_URL"),
        balances_url=environment.url("BALANCES_URL"),
        database_url=environment.text("DATABASE_URL"),
        mysql_ssl_ca=environment.ca_file("MYSQL_SSL_CA"),
        kafka_options=client_options(environment.text("KAFKA_BOOTSTRAP_SERVERS"), security()),
        kafka_partitions=environment.integer("KAFKA_PARTITIONS", 1),
        kafka_replication=environment.integer("KAFKA_REPLICATION", 1),
    )
