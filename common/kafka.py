"""What both services need of Kafka: how to reach it, and the topics."""

import logging
import re
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from kafka import KafkaConsumer
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import (
    GroupAuthorizationFailedError,
    IncompatibleBrokerVersion,
    KafkaError,
    KafkaTimeoutError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from common import environment
from common.kafka_internals import AdminClient, broker_version, unresolvable_addresses

log = logging.getLogger("kafka-topics")

# A floor for the protocol's version: with it a client is created at once, also without a broker, and connects in the
# background.
API_VERSION = (3, 9)
OLDEST_BROKER = (2, 4)  # of those that are tested; the consumer's static membership needs 2.3
_SERVER = re.compile(r"([^\s:/\[\]]+|\[[0-9a-fA-F:.]+\])(:[1-9][0-9]{0,4})?")  # the library's default port is 9092
REACH_MS, REQUEST_MS = 3_000, 3_000  # with the library's 30 s the thread would seem to be stuck


class BrokerUnusable(KafkaError):  # type: ignore[misc]  # kafka-python has no types
    """A broker answers, and cannot serve. Its message names the broker and the reason."""

    def __str__(self) -> str:
        return str(self.args[0])


def client_options(bootstrap_servers: str, security: dict[str, Any] | None = None) -> dict[str, Any]:
    """The options of every client. Raises ConfigurationError for servers of another form than host:port,host:port."""
    servers = bootstrap_servers.split(",")
    if not all(_SERVER.fullmatch(server) for server in servers):
        form = "must be host:port, or host:port,host:port for several servers"
        raise environment.ConfigurationError("KAFKA_BOOTSTRAP_SERVERS", f"{form}, not {bootstrap_servers!r}")
    return {
        **(security or {}),
        "bootstrap_servers": servers,
        "api_version": API_VERSION,
        "reconnect_backoff_max_ms": 1000,  # the default of 30 s would delay the notice of an outage's end
        "request_timeout_ms": 10_000,
        "metadata_max_age_ms": 60_000,
    }


def security() -> dict[str, Any]:
    """The options with which every client and the brokers authenticate each other, from the environment."""
    protocol = environment.choice("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
    options: dict[str, Any] = {"security_protocol": protocol}
    if protocol.endswith("SSL"):
        options["ssl_cafile"] = environment.ca_file("KAFKA_SSL_CA_FILE")  # None: those that the system trusts
    if protocol.startswith("SASL"):
        options["sasl_mechanism"] = environment.choice(
            "KAFKA_SASL_MECHANISM", "SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"
        )
        options["sasl_plain_username"] = environment.text("KAFKA_SASL_USERNAME")
        options["sasl_plain_password"] = environment.text("KAFKA_SASL_PASSWORD")
    return options


REFUSALS = (TopicAuthorizationFailedError, GroupAuthorizationFailedError)


class NotAuthorized(Exception):
    """Kafka is available, and its ACLs refuse what a consumer does; `refusal` is one of REFUSALS."""

    def __init__(self, refusal: KafkaError, topics: Sequence[str], group: str) -> None:
        if isinstance(refusal, GroupAuthorizationFailedError):
            refused = f"join group {group}: allow Read on the group"
        else:  # not every refusal names its topics
            named = refusal.args[0] if refusal.args else topics
            refused = f"read topic {', '.join(sorted(named))}: allow Read and Describe on each topic"
        super().__init__(f"Kafka does not authorize this user to {refused}")


class Topics:
    """The topics that a service needs: creates those that are missing, and shows whether Kafka is available."""

    def __init__(self, options: dict[str, Any], names: Sequence[str], partitions: int, replication: int) -> None:
        self._options = {**options, "bootstrap_timeout_ms": REACH_MS, "request_timeout_ms": REQUEST_MS}
        self._servers = ",".join(options["bootstrap_servers"])
        self._names = list(names)
        self._new = {"num_partitions": partitions, "replication_factor": replication}
        self._admin: AdminClient | None = None

    def ensure(self) -> None:
        """Ask Kafka for the topics and create the missing ones. Raises KafkaError while Kafka cannot be reached.

        A refusal to create one is logged, not raised: an administrator may have to create the topics.
        """
        try:
            if self._admin is None:
                self._admin = AdminClient(**self._options)
                check_version(broker_version(self._admin), self._servers)
            for topic in self._admin.describe_topics(self._names):
                if topic["error_code"] == UnknownTopicOrPartitionError.errno:
                    self._create(self._admin, topic["name"])
        except BrokerUnusable:
            self.close()
            raise
        except KafkaError as error:
            reason = self._reason(error)
            self.close()  # this client may wait long before it connects again; a new one does it at once
            if reason:
                raise BrokerUnusable(reason) from error
            raise

    def _reason(self, error: Exception) -> str | None:
        """Why the broker cannot serve, where the library's error does not name it."""
        if isinstance(error, IncompatibleBrokerVersion):
            return f"{self._servers} is no Kafka broker that clients can use: {error}"
        return unresolvable(self._admin) if self._admin else None

    def _create(self, admin: AdminClient, topic: str) -> None:
        try:
            admin.create_topics({topic: self._new})
            log.info("topic created", extra={"topic": topic, "partitions": self._new["num_partitions"]})
        except TopicAlreadyExistsError:
            pass
        except KafkaTimeoutError:
            raise
        except KafkaError as error:
            if error.retriable:
                raise
            log.warning("topic not created", extra={"topic": topic, "reason": str(error)})

    def compacted(self) -> frozenset[str]:
        """Those of the topics whose cleanup.policy removes records of a key that has newer ones. Raises KafkaError."""
        try:
            policies = self._settings("cleanup.policy", self._names)
        except TopicAuthorizationFailedError as error:
            log.warning("the cleanup policy of the topics is unknown", extra={"reason": str(error)})
            return frozenset()
        compacted = frozenset(topic for topic, policy in policies.items() if "compact" in policy)
        if compacted:
            log.warning(
                "topics are compacted: records may be removed before they are read; use cleanup.policy=delete",
                extra={"topics": sorted(compacted)},
            )
        return compacted

    def max_message_bytes(self, topic: str) -> str:
        """The size up to which the topic accepts records, "unknown" if it is kept secret. Raises KafkaError."""
        try:
            return self._settings("max.message.bytes", [topic]).get(topic, "unknown")
        except TopicAuthorizationFailedError:
            return "unknown"

    def _settings(self, name: str, topics: Sequence[str]) -> dict[str, str]:
        """{topic: value of the setting}."""
        self.ensure()
        assert self._admin is not None
        resources = [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in topics]
        answer = self._admin.describe_configs(resources, config_filter="all")
        return {
            topic: str(settings.get(name, {}).get("value", ""))
            for each in answer.values()
            for topic, settings in each.items()
        }

    def close(self) -> None:
        if self._admin is not None:
            self._admin.close()
            self._admin = None


def check_version(version: tuple[int, ...], servers: str) -> None:
    """Raise BrokerUnusable for a broker of a Kafka that is too old."""
    if version < OLDEST_BROKER:
        needed = ".".join(map(str, OLDEST_BROKER))
        raise BrokerUnusable(
            f"the broker {servers} is of Kafka {'.'.join(map(str, version))}: Kafka {needed} or newer is needed"
        )


def unresolvable(client: AdminClient | KafkaConsumer) -> str | None:
    """A sentence that names the advertised addresses that cannot be resolved, None where all can be."""
    addresses = unresolvable_addresses(client)
    return f"the broker advertises {', '.join(addresses)}, which this machine cannot resolve" if addresses else None


def ensure_topics(options: dict[str, Any], names: Sequence[str], partitions: int, replication: int) -> None:
    """Create the topics that are missing. Raises KafkaError while Kafka cannot be reached; a refusal is logged."""
    with closing(Topics(options, names, partitions, replication)) as topics:
        topics.ensure()
