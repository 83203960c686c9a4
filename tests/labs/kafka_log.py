"""What Kafka holds, read without a consumer group; and what an operator can do to a topic or a group."""

from collections.abc import Iterable, Mapping
from contextlib import closing
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.admin import KafkaAdminClient

from tests.eventually import eventually

TIMEOUT_MS = 10_000
GROUP_SECONDS = 30


def ends(bootstrap: str, topics: Iterable[str]) -> dict[TopicPartition, int]:
    """The end of each partition of the topics."""
    with closing(_consumer(bootstrap)) as consumer:
        return dict(consumer.end_offsets(_partitions(bootstrap, topics), timeout_ms=TIMEOUT_MS))


def records(bootstrap: str, since: Mapping[TopicPartition, int]) -> list[Any]:
    """The records from these offsets to the present ends, in the order of their timestamps."""
    with closing(_consumer(bootstrap)) as consumer:
        until = consumer.end_offsets(list(since), timeout_ms=TIMEOUT_MS)
        beginnings = consumer.beginning_offsets(list(since), timeout_ms=TIMEOUT_MS)
        starts = {tp: max(offset, beginnings[tp]) for tp, offset in since.items()}
        open_partitions = [tp for tp, offset in starts.items() if offset < until[tp]]
        consumer.assign(open_partitions)
        for tp in open_partitions:
            consumer.seek(tp, starts[tp])
        found = []
        while any(consumer.position(tp) < until[tp] for tp in open_partitions):
            found += [record for batch in consumer.poll(timeout_ms=500).values() for record in batch]
    return sorted(found, key=lambda record: (record.timestamp, record.partition, record.offset))


def create_topic(bootstrap: str, name: str, partitions: int) -> None:
    with closing(_admin(bootstrap)) as admin:
        admin.create_topics({name: {"num_partitions": partitions, "replication_factor": 1}})


def remove_records(bootstrap: str, before: Mapping[TopicPartition, int]) -> None:
    """Remove what is before these offsets, as retention does."""
    with closing(_admin(bootstrap)) as admin:
        admin.delete_records(dict(before))


def produce(bootstrap: str, topic: str, key: bytes, value: bytes) -> None:
    """Send one record without headers, as a foreign producer does."""
    with closing(KafkaProducer(bootstrap_servers=bootstrap, api_version=(3, 9))) as producer:
        producer.send(topic, key=key, value=value).get(timeout=TIMEOUT_MS / 1000)


def reset_group(bootstrap: str, group: str, offsets: Mapping[TopicPartition, int]) -> None:
    """Set the offsets that the group committed to Kafka, as soon as Kafka has noticed that its member is gone."""
    wanted = {tp: OffsetAndMetadata(offset, "", -1) for tp, offset in offsets.items()}
    with closing(_admin(bootstrap)) as admin:

        def accepted() -> bool:
            return all(error.errno == 0 for error in admin.alter_group_offsets(group, wanted).values())

        eventually(accepted, GROUP_SECONDS)


def _partitions(bootstrap: str, topics: Iterable[str]) -> list[TopicPartition]:
    with closing(_admin(bootstrap)) as admin:
        return [
            TopicPartition(topic["name"], partition["partition_index"])
            for topic in admin.describe_topics(list(topics))
            for partition in topic["partitions"]
        ]


def _consumer(bootstrap: str) -> KafkaConsumer:
    return KafkaConsumer(bootstrap_servers=bootstrap, api_version=(3, 9), auto_offset_reset="earliest")


def _admin(bootstrap: str) -> KafkaAdminClient:
    return KafkaAdminClient(bootstrap_servers=bootstrap, api_version=(3, 9))
