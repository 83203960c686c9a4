"""Waits until no event is in flight."""

import time
from contextlib import closing

import pymysql
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from tests.eventually import eventually
from tests.faults.system import PARTITIONS, TOPICS, System

QUIET_SECONDS = 40


def await_quiet(system: System, seconds: float = QUIET_SECONDS) -> float:
    """Wait until the outbox is empty and every record was applied; return the seconds it took."""
    started = time.monotonic()
    with closing(KafkaConsumer(bootstrap_servers=system.bootstrap_servers, api_version=(3, 9))) as consumer:
        partitions = [TopicPartition(topic, number) for topic in TOPICS[:2] for number in range(PARTITIONS)]

        def quiet() -> bool:
            if system.rows("wallet", "SELECT 1 FROM outbox LIMIT 1"):
                return False
            stored = {
                (topic, number): offset
                for topic, number, offset in system.rows(
                    "balances", "SELECT topic, partition_id, next_offset FROM consumer_offsets"
                )
            }
            ends = consumer.end_offsets(partitions, timeout_ms=5000)
            return all(stored.get(tp, 0) == end for tp, end in ends.items())

        eventually(
            quiet,
            seconds,
            "an empty outbox and no lag",
            (
                KafkaError,
                pymysql.Error,
            ),
        )
    return time.monotonic() - started
