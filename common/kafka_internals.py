"""What the public API of kafka-python cannot do. Only this module uses the private API of kafka-python.

So an upgrade of kafka-python can break only this module. A unit test checks that each private name exists. The links
are issues of the library, or of the Java client that it follows.
"""

import socket
from collections.abc import Iterable
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import IncompatibleBrokerVersion, KafkaError
from kafka.record import memory_records
from kafka.record.default_records import DefaultRecordBatch

REPEATED_REQUEST_MS = 1_000
OFFSETS_REQUEST_MS = 2_000  # for the beginnings or the ends of logs
NO_TOPIC_ID = "00000000-0000-0000-0000-000000000000"  # of a new broker that still uses the protocol of an older one


def topic_id(consumer: KafkaConsumer, topic: str) -> str | None:
    """The id of the topic as the client's metadata has it; "" of a broker before Kafka 2.8, None of an unknown topic.

    An admin client would send a request each time. https://github.com/apache/kafka/pull/11004
    """
    cluster = consumer._cluster
    with cluster._lock:  # otherwise a topic may be known before its id is
        if cluster.partitions_for_topic(topic) is None:
            return None
        known = str(cluster.topic_id(topic) or "")
    return "" if known == NO_TOPIC_ID else known


def partitions_of(consumer: KafkaConsumer, topics: Iterable[str]) -> list[tuple[str, int]]:
    """(topic, partition) of all partitions that the client's metadata has.

    The public partitions_for_topic() may block without end while Kafka is unavailable.
    https://github.com/dpkp/kafka-python/issues/1764
    """
    return [
        (topic, number) for topic in topics for number in sorted(consumer._cluster.partitions_for_topic(topic) or ())
    ]


def unauthorized_topics(consumer: KafkaConsumer) -> set[str]:
    """The topics that the ACLs hide from this user. To the client they seem not to exist."""
    return set(consumer._cluster.unauthorized_topics)


def leaderless(consumer: KafkaConsumer, partitions: Iterable[tuple[str, int]]) -> set[tuple[str, int]]:
    """Those of the partitions that have no leader, or do not exist, as far as the client's metadata goes."""
    leader_of = consumer._cluster.leader_for_partition
    return {each for each in partitions if leader_of(TopicPartition(*each)) in (None, -1)}


class PartitionUnavailable(Exception):
    """A partition was removed or lost its leader after the client's metadata was asked for it."""


def beginning_offsets(consumer: KafkaConsumer, tps: list[TopicPartition]) -> dict[TopicPartition, int]:
    """Where the logs begin. Raises KafkaError, and PartitionUnavailable where the library raises KeyError.

    The library has no issue about it.
    """
    try:
        return dict(consumer.beginning_offsets(tps, timeout_ms=OFFSETS_REQUEST_MS))
    except KeyError as error:
        raise PartitionUnavailable(*error.args) from error


def end_offsets(consumer: KafkaConsumer, tps: list[TopicPartition]) -> dict[TopicPartition, int]:
    """Where the logs end, as `beginning_offsets`."""
    try:
        return dict(consumer.end_offsets(tps, timeout_ms=OFFSETS_REQUEST_MS))
    except KeyError as error:
        raise PartitionUnavailable(*error.args) from error


def positions_of(consumer: KafkaConsumer) -> dict[tuple[str, int], OffsetAndMetadata]:
    """{(topic, partition): next offset, with its leader epoch} of all assigned partitions that have a position.

    The public position() takes one partition and checks all of them: for n partitions that is n * n steps.
    https://github.com/dpkp/kafka-python/pull/2958
    """
    return {tuple(tp): at for tp, at in consumer._subscription.all_consumed_offsets().items()}


def seek(consumer: KafkaConsumer, tp: TopicPartition, offset: int, leader_epoch: int) -> None:
    """Move to the offset, whose preceding record has this leader epoch (-1: unknown).

    Where the log was truncated before the offset, the client then moves back to that place, as it does while it reads.
    The public seek() takes no leader epoch. https://github.com/dpkp/kafka-python/pull/2978
    """
    consumer._subscription.seek(tp, OffsetAndMetadata(offset, "", leader_epoch))


def broker_version(client: KafkaAdminClient) -> tuple[int, ...]:
    """The version of Kafka that the broker's protocol shows, as (2, 7); of a client that has reached it."""
    return tuple(client._manager.broker_version)


def unresolvable_addresses(client: KafkaAdminClient | KafkaConsumer) -> list[str]:
    """The addresses that the brokers advertise and that this machine cannot resolve.

    The library's own error names neither host nor port. https://github.com/dpkp/kafka-python/issues/2156
    """
    brokers = client._manager.cluster.brokers()
    return [f"{each.host}:{each.port}" for each in brokers if not _can_be_resolved(each.host, each.port)]


def _can_be_resolved(host: str, port: int) -> bool:
    try:
        return bool(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError):
        return False


def request_rejoin(consumer: KafkaConsumer) -> None:
    """Have the group assign its partitions again.

    The library has no public enforceRebalance(), which a static member needs for partitions that were added while it
    was not running. https://github.com/apache/kafka/pull/11559
    """
    consumer._coordinator.request_rejoin()


def discard_producer(producer: KafkaProducer) -> None:
    """Close the producer at once and drop what it still holds: the next producer sends what was not acknowledged.

    close() flushes first, and leaves the thread running when that fails. https://github.com/dpkp/kafka-python/pull/3108
    """
    try:
        producer.close(timeout=0)
    except KafkaError:
        producer._sender.force_close()


class AdminClient(KafkaAdminClient):  # type: ignore[misc]  # kafka-python has no types
    """Releases its thread and sockets when no broker answers; the library's own client leaks them each time.

    Raises IncompatibleBrokerVersion where the library reports only that time ran out.
    https://github.com/kafka-python-ng/kafka-python-ng/pull/186
    """

    _closed = False  # what its close() checks, and sets only after it has reached a broker

    def __init__(self, **options: Any) -> None:
        try:
            super().__init__(**options)
        except KafkaError:
            try:
                if hasattr(self, "_manager"):
                    self._raise_incompatibility()
            finally:
                self.close()
            raise

    def _raise_incompatibility(self) -> None:
        """Ask once more, because the library does not report why its request for the brokers failed."""
        manager = self._manager
        node_id = manager.cluster.bootstrap_brokers()[0].node_id
        manager.reset_backoff(node_id)
        try:
            response = manager.call_soon(manager.cluster.refresh_metadata, node_id)
            manager.run(manager.wait_for, response, REPEATED_REQUEST_MS)
        except IncompatibleBrokerVersion:
            raise
        except KafkaError:
            pass


def accept_any_header_names() -> None:
    """From now on read a byte of a header's name that is not UTF-8 as `\\xff`: a name that no parser uses.

    Kafka accepts any bytes as a name; the client decodes them strictly. A single such record would stop its partition
    for ever, because it can be neither read nor skipped. The library has no issue about it.
    """
    memory_records.DefaultRecordBatch = _Batch


class _Batch(DefaultRecordBatch):  # type: ignore[misc]
    __slots__ = ()

    def _read_msg(self) -> Any:
        try:
            return super()._read_msg()
        except UnicodeDecodeError:
            self._buffer = _Lenient(self._buffer)  # type: ignore[misc, has-type]
            return super()._read_msg()  # from the same place, which moves only after a record is read


class _Lenient(bytearray):
    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        return _Lenient(found) if isinstance(place, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return super().decode(encoding, "backslashreplace")
