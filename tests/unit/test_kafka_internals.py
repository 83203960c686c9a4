"""The private API of kafka-python that the services use: an upgrade that renames one fails here."""

from collections.abc import Iterator
from contextlib import closing
from types import SimpleNamespace
from uuid import UUID

import pytest
from kafka import KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.record import memory_records
from kafka.record.default_records import DefaultRecordBatch

from common import kafka_internals
from common.kafka import BrokerUnusable, check_version, client_options

NOWHERE = client_options("127.0.0.1:1")  # no broker listens there


@pytest.fixture
def consumer() -> Iterator[KafkaConsumer]:
    with closing(KafkaConsumer(**NOWHERE, group_id="any")) as consumer:
        yield consumer


def known(consumer: KafkaConsumer, topic_id: UUID | None) -> KafkaConsumer:
    """The consumer, its metadata as after a broker's answer."""
    cluster = consumer._cluster
    assert {"_partitions", "_topic_ids", "_brokers"} <= vars(cluster).keys()
    cluster._partitions = {"balances": {0: None, 1: None}}
    cluster._topic_ids = {"balances": topic_id} if topic_id else {}
    return consumer


def test_a_topic_has_its_id_from_the_metadata(consumer: KafkaConsumer) -> None:
    id_ = UUID("9ccc8c31-843c-4577-80d7-e21949f3924f")

    assert kafka_internals.topic_id(known(consumer, id_), "balances") == str(id_)


@pytest.mark.parametrize("id_", [None, UUID(int=0)], ids=["Kafka 2.7", "Kafka 2.8 with an older protocol"])
def test_a_topic_of_a_broker_without_topic_ids_has_an_empty_one(consumer: KafkaConsumer, id_: UUID | None) -> None:
    assert kafka_internals.topic_id(known(consumer, id_), "balances") == ""


def test_a_topic_that_the_metadata_does_not_know_has_no_id_and_no_partitions(consumer: KafkaConsumer) -> None:
    assert kafka_internals.topic_id(consumer, "balances") is None
    assert kafka_internals.partitions_of(consumer, ["balances"]) == []


def test_the_partitions_are_those_of_the_metadata(consumer: KafkaConsumer) -> None:
    found = kafka_internals.partitions_of(known(consumer, None), ["balances", "unknown"])

    assert found == [("balances", 0), ("balances", 1)]


def test_partitions_without_a_leader_and_unknown_ones_are_found(consumer: KafkaConsumer) -> None:
    leaders = {0: SimpleNamespace(leader_id=1), 1: SimpleNamespace(leader_id=-1)}
    known(consumer, None)._cluster._partitions = {"balances": leaders}

    found = kafka_internals.leaderless(consumer, [("balances", number) for number in range(3)])

    assert found == {("balances", 1), ("balances", 2)}


def test_the_library_asks_for_no_offset_of_a_partition_without_a_leader(consumer: KafkaConsumer) -> None:
    leaders = {0: SimpleNamespace(leader_id=1), 1: SimpleNamespace(leader_id=-1)}
    known(consumer, None)._cluster._partitions = {"balances": leaders}
    asked = {TopicPartition("balances", number): -1 for number in range(3)}

    (by_leader,) = consumer._fetcher._group_list_offset_requests(asked).values()

    assert list(by_leader) == [TopicPartition("balances", 0)]  # and raises a KeyError for the two others


def test_the_positions_of_all_partitions_are_read_at_once(consumer: KafkaConsumer) -> None:
    first, second, unknown = (TopicPartition("balances", number) for number in range(3))
    consumer.unsubscribe()
    consumer.assign([first, second, unknown])
    kafka_internals.seek(consumer, first, 5, leader_epoch=3)
    kafka_internals.seek(consumer, second, 7, leader_epoch=-1)

    assert kafka_internals.positions_of(consumer) == {
        ("balances", 0): OffsetAndMetadata(5, "", 3),
        ("balances", 1): OffsetAndMetadata(7, "", -1),
    }


def test_a_position_with_a_leader_epoch_is_validated_once_the_leader_is_another_one(consumer: KafkaConsumer) -> None:
    tp = TopicPartition("balances", 0)
    consumer.unsubscribe()
    consumer.assign([tp])
    kafka_internals.seek(consumer, tp, 5, leader_epoch=3)
    subscription = consumer._subscription

    assert not subscription.maybe_validate_position_for_current_leader(tp, 3)
    assert subscription.maybe_validate_position_for_current_leader(tp, 4)
    assert not subscription.is_fetchable(tp)


def test_the_clients_have_the_parts_of_their_manager(consumer: KafkaConsumer) -> None:
    manager = consumer._manager

    assert {"call_soon", "run", "wait_for", "reset_backoff", "broker_version"} <= set(dir(manager))
    assert {"brokers", "bootstrap_brokers", "refresh_metadata", "topic_id"} <= set(dir(manager.cluster))
    assert {"partitions_for_topic", "_lock", "unauthorized_topics", "leader_for_partition"} <= set(
        dir(consumer._cluster)
    )


def test_an_advertised_address_that_cannot_be_resolved_is_named(consumer: KafkaConsumer) -> None:
    hosts = {1: "127.0.0.1", 2: "kafka.nowhere.invalid", 3: "a" * 64 + ".invalid"}
    known(consumer, None)._cluster._brokers = {
        number: SimpleNamespace(host=host, port=9092) for number, host in hosts.items()
    }

    found = kafka_internals.unresolvable_addresses(consumer)

    assert found == ["kafka.nowhere.invalid:9092", f"{'a' * 64}.invalid:9092"]


def test_a_rejoin_can_be_requested(consumer: KafkaConsumer) -> None:
    consumer._coordinator.rejoin_needed = False

    kafka_internals.request_rejoin(consumer)

    assert consumer._coordinator.rejoin_needed


def test_a_discarded_producer_ends_its_thread_though_it_reached_no_broker() -> None:
    producer = KafkaProducer(**NOWHERE)
    assert hasattr(producer._sender, "force_close")

    kafka_internals.discard_producer(producer)

    assert producer._closed


def test_an_admin_client_that_reaches_no_broker_leaves_nothing_behind() -> None:
    with pytest.raises(kafka_internals.KafkaError):
        kafka_internals.AdminClient(**NOWHERE, bootstrap_timeout_ms=100)

    assert isinstance(vars(KafkaAdminClient).get("close"), type(lambda: None))


@pytest.mark.parametrize("version", [(2, 3), (0, 11), (2,)])
def test_a_broker_that_is_too_old_is_named(version: tuple[int, ...]) -> None:
    with pytest.raises(BrokerUnusable) as refused:
        check_version(version, "kafka:9092")

    number = ".".join(map(str, version))
    assert str(refused.value) == f"the broker kafka:9092 is of Kafka {number}: Kafka 2.4 or newer is needed"


@pytest.mark.parametrize("version", [(2, 4), (2, 7), (3, 3), (4, 3)])
def test_a_broker_of_a_tested_version_is_accepted(version: tuple[int, ...]) -> None:
    check_version(version, "kafka:9092")


def test_the_patched_batch_is_the_one_that_the_library_makes() -> None:
    assert memory_records.DefaultRecordBatch in (DefaultRecordBatch, kafka_internals._Batch)
    assert {"_buffer", "_pos"} <= set(DefaultRecordBatch.__slots__) | set(dir(DefaultRecordBatch))
    assert callable(DefaultRecordBatch._read_msg)
