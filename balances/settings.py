"""The settings of Balances; docs/configuration.md explains every variable."""

import socket
from dataclasses import dataclass, field
from typing import Any

from common import access, environment
from common.events.consumer import Group
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
    kafka_group: Group


def from_environment() -> Settings:
    """Read every variable. Raises ConfigurationError for the first that is missing or wrong."""
    return Settings(
        host=environment.text("HOST", "127.0.0.1"),
        port=environment.integer("PORT", 3003),
        http_processes=environment.integer("HTTP_PROCESSES", 1, high=64),
        token=access.token("BALANCES_TOKEN"),
        wallet_url=environment.url("WALLET_URL"),
        balances_url=environment.url("BALANCES_URL"),
        database_url=environment.text("DATABASE_URL"),
        mysql_ssl_ca=environment.ca_file("MYSQL_SSL_CA"),
        kafka_options=client_options(environment.text("KAFKA_BOOTSTRAP_SERVERS"), security()),
        kafka_group=Group(
            name=environment.text("KAFKA_GROUP_ID", "balances"),
            instance=environment.text("KAFKA_INSTANCE_ID", socket.gethostname()),
            partitions=environment.integer("KAFKA_PARTITIONS", 1),
            replication=environment.integer("KAFKA_REPLICATION", 1),
        ),
    )
