"""What both services say to Kafka alike: how to reach it, and which topics there are to be."""

import logging

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError, KafkaTimeoutError, TopicAlreadyExistsError

from common import environment

log = logging.getLogger("kafka-topics")

# A floor for the protocol's version: with it a client is made at once, broker or none, and connects in the background.
API_VERSION = (3, 9)
REACH_MS, CREATE_MS = 3_000, 5_000  # the library's 30 s would be a silence that looks like a stuck thread


def client_options(bootstrap_servers, security=None):
    return {
        **(security or {}),
        "bootstrap_servers": bootstrap_servers.split(","),
        "api_version": API_VERSION,
        "reconnect_backoff_max_ms": 1000,  # the default of 30 s would also be how late an outage's end is noticed
        "request_timeout_ms": 10_000,
        "metadata_max_age_ms": 60_000,
    }


def security():
    """How the environment says that the brokers and we prove to each other who we are: options of every client."""
    protocol = environment.choice("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
    options = {"security_protocol": protocol}
    if protocol.endswith("SSL"):
        options["ssl_cafile"] = environment.ca_file("KAFKA_SSL_CA_FILE")  # None: those that the system trusts
    if protocol.startswith("SASL"):
        options["sasl_mechanism"] = environment.choice(
            "KAFKA_SASL_MECHANISM", "SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"
        )
        options["sasl_plain_username"] = environment.text("KAFKA_SASL_USERNAME")
        options["sasl_plain_password"] = environment.text("KAFKA_SASL_PASSWORD")
    return options


def ensure_topics(options, topics, partitions, replication):
    """Create the topics that are missing. Raises KafkaError while Kafka cannot be reached; a refusal is logged."""
    admin = _Admin(**{**options, "bootstrap_timeout_ms": REACH_MS, "request_timeout_ms": CREATE_MS})
    try:
        for topic in topics:
            try:
                admin.create_topics({topic: {"num_partitions": partitions, "replication_factor": replication}})
                log.info("topic created", extra={"topic": topic, "partitions": partitions})
            except TopicAlreadyExistsError:
                pass
            except KafkaTimeoutError:
                raise
            except KafkaError as error:
                if error.retriable:
                    raise
                log.warning("topic not created", extra={"topic": topic, "reason": str(error)})
    finally:
        admin.close()


class _Admin(KafkaAdminClient):
    """Leaves nothing behind when no broker answers; the library's own would leave a thread and sockets each time."""

    _closed = False  # what its close() looks at, and sets only after it has reached a broker

    def __init__(self, **options):
        try:
            super().__init__(**options)
        except KafkaTimeoutError:
            self.close()
            raise
