"""The topics that a service makes sure of at its start."""

import threading
import time
from uuid import uuid4

import pytest
from kafka.errors import KafkaError

from common.kafka import client_options, ensure_topics
from tests.integration.service import NOWHERE


def test_a_missing_topic_is_made_and_one_that_is_there_is_left_alone(kafka, admin):
    topic = f"test-{uuid4()}"

    ensure_topics(kafka, [topic], partitions=2, replication=1)
    ensure_topics(kafka, [topic], partitions=3, replication=1)

    (described,) = admin.describe_topics([topic])
    assert len(described["partitions"]) == 2
    admin.delete_topics([topic])


def test_a_topic_that_the_broker_refuses_does_not_stop_the_others(kafka, admin):
    topic = f"test-{uuid4()}"

    ensure_topics(kafka, ["not a topic's name", topic], partitions=1, replication=1)

    assert [each["name"] for each in admin.describe_topics([topic])] == [topic]
    admin.delete_topics([topic])


def test_an_unavailable_broker_is_reported_in_seconds_and_leaves_no_thread_behind():
    threads, started = threading.active_count(), time.monotonic()

    with pytest.raises(KafkaError):
        ensure_topics(client_options(NOWHERE), ["any"], partitions=1, replication=1)

    assert time.monotonic() - started < 5
    assert threading.active_count() <= threads
