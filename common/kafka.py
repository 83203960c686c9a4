"""What both services say to Kafka alike: how to reach it, and which topics there are to be."""

import logging

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError, KafkaTimeoutError, TopicAlreadyExistsError

log = logging.getLogger("kafka-topics")

# A floor for the protocol's version: with it a client is made at once, broker or none, and connects in the background.
API_VERSION = (3, 9)


def client_options(bootstrap_servers):
    return {
        "bootstrap_servers": bootstrap_servers.split(","),
        "api_version": API_VERSION,
        "reconnect_backoff_max_ms": 1000,  # the default of 30 s would also be how late an outage's end is noticed
        "request_timeout_ms": 10_000,
        "metadata_max_age_ms": 60_000,
    }


def ensure_topics(options, topics, partitions, replication):
    """Create the topics that are missing. Raises KafkaError while Kafka cannot be reached; a refusal is logged."""
    admin = KafkaAdminClient(**{**options, "request_timeout_ms": 5000})
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
