"""The processes of Balances, and what each sees of the group and of the logs."""

from contextlib import nullcontext
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from kafka import OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaTimeoutError

from balances.messages import TOPICS, Balance, parse
from common.events.consumer import Consumer, Projection
from common.events.offsets import UNKNOWN_EPOCH
from tests.simulation import broken

if TYPE_CHECKING:
    from tests.simulation.world import World


class BalancesProcess:
    """The real Consumer with its own client, which gets the assignment of its partitions late, or too late."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.crash()

    def crash(self) -> None:
        status: Any = SimpleNamespace(read=dict, age=lambda: 0.0, write=lambda facts: None)
        client: Any = GroupMember(self._world, self)
        database: Any = self._world.read_model
        projection: Projection[Balance] = Projection(
            TOPICS, lambda record: parse(record, self._world.clock), broken.apply_of(self._world)
        )
        self._consumer = Consumer(client, database, projection, status)
        client.listener = self._consumer.assignment

    def step(self) -> None:
        self._consumer.consume_batch()
        if not self._world.faults or self._world.random.random() < 0.3:
            self._consumer.probe()


class GroupMember:
    """What Consumer uses of a KafkaConsumer. Until it notices a rebalance it continues to read: a zombie.

    It fetches by the topic id that it knows, and notices late that a topic was created again.
    """

    def __init__(self, world: "World", process: BalancesProcess) -> None:
        self._world = world
        self._process = process
        self._positions: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()
        self._topic_ids: dict[str, str] = {}
        self.listener: Any = None
        self._cluster = SimpleNamespace(
            _lock=nullcontext(),
            topic_id=lambda topic: self._topic_ids[topic],
            partitions_for_topic=world.broker.partitions,
            leader_for_partition=lambda tp: 1,
            unauthorized_topics=(),
            brokers=list,
        )
        self._manager = SimpleNamespace(cluster=self._cluster)
        self._coordinator = SimpleNamespace(request_rejoin=lambda: None)
        self._subscription = SimpleNamespace(all_consumed_offsets=self._consumed_offsets, seek=self._seek)
        self._learn_the_topic_ids()

    def poll(self, timeout_ms: int) -> dict[TopicPartition, list[Any]]:
        self._world.between_calls()
        if not self._world.faults or self._world.random.random() < 0.7:
            self._learn_of_the_group()
        if not self._world.faults or self._world.random.random() < 0.5:
            self._learn_the_topic_ids()
        batches = {tp: self._fetch(tp) for tp in sorted(self._positions.keys() - self._paused)}
        return {tp: records for tp, records in batches.items() if records}

    def assignment(self) -> set[TopicPartition]:
        return set(self._positions)

    def paused(self) -> set[TopicPartition]:
        return set(self._paused)

    def pause(self, *partitions: TopicPartition) -> None:
        self._paused.update(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        self._paused.difference_update(partitions)

    def _seek(self, tp: TopicPartition, position: OffsetAndMetadata) -> None:
        self._positions[tp] = position.offset

    def _consumed_offsets(self) -> dict[TopicPartition, Any]:
        return {tp: OffsetAndMetadata(offset, "", UNKNOWN_EPOCH) for tp, offset in self._positions.items()}

    def beginning_offsets(self, partitions: list[TopicPartition], timeout_ms: int) -> dict[TopicPartition, int]:
        self._world.between_calls(can_fail=[KafkaTimeoutError("no response")])
        return {tp: self._world.broker.logs[tp].beginning for tp in partitions}

    def end_offsets(self, partitions: list[TopicPartition], timeout_ms: int) -> dict[TopicPartition, int]:
        self._world.between_calls(can_fail=[KafkaTimeoutError("no response")])
        return {tp: self._world.broker.logs[tp].end for tp in partitions}

    def commit_async(self, offsets: object) -> None:
        pass

    def _fetch(self, tp: TopicPartition) -> list[Any]:
        log = self._world.broker.logs[tp]
        if log.topic_id != self._topic_ids[tp.topic]:
            return []
        if not log.beginning <= self._positions[tp] <= log.end:
            self._positions[tp] = log.beginning  # auto_offset_reset='earliest'
        entries = log.read(self._positions[tp], self._world.random.randint(0, 6))
        self._positions[tp] += len(entries)
        return [entry for entry in entries if entry is not None]

    def _learn_the_topic_ids(self) -> None:
        self._topic_ids = {tp.topic: log.topic_id for tp, log in self._world.broker.logs.items()}

    def _learn_of_the_group(self) -> None:
        owned = {tp for tp, owner in self._world.broker.owners.items() if owner is self._process}
        new = owned - self._positions.keys()
        for tp in self._positions.keys() - owned:
            del self._positions[tp]
            self._paused.discard(tp)
        for tp in new:
            self._positions[tp] = 0  # auto_offset_reset='earliest'
        if new:
            self.listener.on_partitions_assigned(new)
