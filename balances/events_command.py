"""The command `entrypoint.sh balances events`: the records in Kafka, one line each, without joining the group."""

import json
import time
from argparse import ArgumentTypeError, Namespace
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, KafkaTimeoutError

from balances.messages import TOPICS
from common import environment
from common.json_text import bytes_as_json
from common.kafka import client_options, security
from common.kafka_internals import AdminClient, accept_any_header_names, positions_of
from common.ops import add_command, printable

LIMIT, LARGEST_LIMIT = 20, 1_000_000
REACH_MS, POLL_MS, FETCH_WAIT_MS = 5_000, 200, 100
READ_SECONDS = 10  # the longest wait for a record that Kafka has


def add_events(commands: Any) -> None:
    """Add the command `events`."""
    parser = add_command(commands, events, "entrypoint.sh balances events --follow --topic balances")
    parser.add_argument("--follow", action="store_true", help="then print new records until Ctrl-C")
    parser.add_argument("--topic", metavar="TOPIC", help=f"read this topic (default: {' and '.join(TOPICS)})")
    parser.add_argument(
        "--limit", type=_limit, default=LIMIT, metavar="N", help=f"last records of each partition (default: {LIMIT})"
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object for each record")


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= LARGEST_LIMIT):
        raise ArgumentTypeError(f"must be an integer from 0 to {LARGEST_LIMIT}, not {text!r}")
    return int(text)


def events(options: Namespace) -> None:
    """Print the last records of each partition, one line each.

    The command reads from Kafka and changes nothing: it joins no consumer group and commits no offset. Requires
    KAFKA_BOOTSTRAP_SERVERS.
    """
    kafka = client_options(environment.text("KAFKA_BOOTSTRAP_SERVERS"), security())
    topics = [options.topic] if options.topic else list(TOPICS)
    line = _as_json if options.json else _as_text
    accept_any_header_names()
    try:
        with suppress(KeyboardInterrupt):
            partitions = _partitions(kafka, topics)
            with closing(_consumer(kafka)) as consumer:
                for record in _records(consumer, partitions, options.limit, options.follow):
                    print(line(record), flush=options.follow)
    except KafkaError as error:
        servers = ",".join(kafka["bootstrap_servers"])
        raise SystemExit(f"Kafka at {servers} is unavailable: {str(error) or type(error).__name__}") from error


def _partitions(kafka: dict[str, Any], topics: list[str]) -> list[TopicPartition]:
    """All partitions of the topics. Raises SystemExit for a topic that does not exist, KafkaError without a broker."""
    options = {**kafka, "bootstrap_timeout_ms": REACH_MS, "request_timeout_ms": REACH_MS}
    with closing(AdminClient(**options)) as admin:
        descriptions = admin.describe_topics(topics)
    for each in descriptions:
        if each["error_code"]:
            raise SystemExit(f"topic {printable(each['name'])} does not exist or may not be read; see --topic")
    return [
        TopicPartition(each["name"], partition["partition_index"])
        for each in sorted(descriptions, key=lambda each: str(each["name"]))
        for partition in sorted(each["partitions"], key=lambda partition: int(partition["partition_index"]))
    ]


def _consumer(kafka: dict[str, Any]) -> KafkaConsumer:
    return KafkaConsumer(
        **kafka,
        group_id=None,
        enable_auto_commit=False,
        isolation_level="read_committed",  # as the service reads
        fetch_max_wait_ms=FETCH_WAIT_MS,
    )


def _records(consumer: KafkaConsumer, partitions: list[TopicPartition], limit: int, follow: bool) -> Iterator[Any]:
    """The last `limit` records of each partition, then the new ones if `follow`."""
    consumer.assign(partitions)
    beginnings = consumer.beginning_offsets(partitions, timeout_ms=REACH_MS)
    ends = consumer.end_offsets(partitions, timeout_ms=REACH_MS)
    for partition in partitions:
        consumer.seek(partition, max(beginnings[partition], ends[partition] - limit))
    read_at = time.monotonic()
    while follow or not _reached(consumer, ends):
        for records in consumer.poll(timeout_ms=POLL_MS).values():
            yield from records
            read_at = time.monotonic()
        if not follow and time.monotonic() > read_at + READ_SECONDS:
            raise KafkaTimeoutError(f"no record within {READ_SECONDS} s")


def _reached(consumer: KafkaConsumer, ends: dict[TopicPartition, int]) -> bool:
    """Whether all was read. A position also moves over markers of transactions, which are no records."""
    positions = positions_of(consumer)
    return all(partition in positions and positions[partition].offset >= end for partition, end in ends.items() if end)


def _as_text(record: Any) -> str:
    fields = [("key", record.key), *record.headers]
    named = [f"{printable(name)}={_text(value)}" for name, value in fields]
    return " ".join([f"{record.topic}[{record.partition}]@{record.offset}", *named, _text(record.value)])


def _text(value: bytes | None) -> str:
    return "null" if value is None else printable(value.decode("utf-8", "backslashreplace"))


def _as_json(record: Any) -> str:
    return json.dumps(
        {
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "timestamp_ms": record.timestamp,
            "key": bytes_as_json(record.key),
            "headers": [{"name": name, "value": bytes_as_json(value)} for name, value in record.headers],
            "value": bytes_as_json(record.value),
        }
    )
