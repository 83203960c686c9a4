"""Relays, their connection to the wallet's database, and their producers."""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pymysql
from kafka import TopicPartition
from kafka.errors import KafkaError, KafkaTimeoutError

from common.events.publish import Unacknowledged, relay_batch
from tests.stand_ins import OutboxConnection

if TYPE_CHECKING:
    from tests.simulation.world import World


class RelayProcess:
    """The real relay_batch on a connection and a producer of its own. Any of several may believe that it is the leader.

    That is more than a lease allows, which two relays hold for a moment at most.
    """

    def __init__(self, world: "World") -> None:
        self._world = world
        self._producer = Producer(world)

    def step(self) -> None:
        with suppress(Unacknowledged, KafkaError, pymysql.Error):
            relay_batch(WorldOutbox(self._world), self._producer)  # type: ignore[arg-type]
            return
        self.crash()  # the relay discards its producer after each failure

    def crash(self) -> None:
        self._producer.close()
        self._producer = Producer(self._world)


class WorldOutbox(OutboxConnection):
    """The connection of one relay to the outbox of the world. A restore of the database ends it."""

    def __init__(self, world: "World") -> None:
        super().__init__(())
        self._world = world
        self._generation = world.wallet.generation

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> None:
        self._world.between_calls(can_fail=[_lost()])
        if self._generation != self._world.wallet.generation:
            raise _lost()
        super().execute(statement, parameters)
        # The response may be lost after the statement took effect.
        self._world.between_calls(can_fail=[_lost()])

    def oldest(self, limit: int) -> list[Any]:
        oldest = sorted(self._world.wallet.outbox.items())[: min(limit, self._world.random.randint(1, 20))]
        now = self._world.now()
        return [(number, *event, event_id, "request", now) for number, (event, event_id) in oldest]

    def delete(self, ids: list[int]) -> None:
        if "range-delete" in self._world.broken:  # as `id <= last` would do
            ids = [number for number in self._world.wallet.outbox if number <= ids[-1]]
        for number in ids:
            self._remove(number)

    def _remove(self, number: int) -> None:
        if row := self._world.wallet.outbox.pop(number, None):
            assert row[1] in self._world.broker.event_ids, f"outbox row {number} was removed unsent"


def _lost() -> pymysql.OperationalError:
    """A new error each time: each time that one is raised it keeps the frames of that moment, a complete world."""
    return pymysql.OperationalError(2013, "lost")


class Producer:
    """Idempotent: each partition gets a prefix of what was sent to it, in order, once; but perhaps late."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._queues: dict[TopicPartition, list[Any]] = defaultdict(list)
        world.broker.producers.append(self)

    def send(self, topic: str, value: bytes, key: bytes, headers: list[tuple[str, bytes]]) -> Any:
        self._world.between_calls(can_fail=[KafkaTimeoutError("no metadata")])
        tp = self._world.broker.partition_of(topic, key)
        record = SimpleNamespace(key=key, value=value, headers=headers, delivered=False)
        self._queues[tp].append(record)
        return SimpleNamespace(get=lambda timeout: self._get(tp, record))

    def close(self) -> None:
        """A prefix of what is in flight may still arrive; the rest is lost."""
        for queue in self._queues.values():
            del queue[self._world.random.randint(0, len(queue)) :]

    def deliver_some(self) -> None:
        for tp, queue in self._queues.items():
            if queue:
                for _ in queue[: self._world.random.randint(0, len(queue))]:
                    self._deliver(tp)

    def _get(self, tp: TopicPartition, record: Any) -> None:
        self._world.between_calls(can_fail=[KafkaTimeoutError("no response")])
        while not record.delivered:
            if record not in self._queues[tp] or not self._deliver(tp):
                raise KafkaTimeoutError("no acknowledgement")
        # The acknowledgement may be lost.
        self._world.between_calls(can_fail=[KafkaTimeoutError("no response")])

    def _deliver(self, tp: TopicPartition) -> bool:
        if not self._world.broker.accepts(tp):
            return False
        record = self._queues[tp].pop(0)
        record.delivered = True
        self._world.broker.append(tp, record.key, record.value, record.headers)
        return True
