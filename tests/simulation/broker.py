"""Kafka: logs with everything that a real one may hold, and the group that assigns their partitions."""

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from kafka import TopicPartition

from balances.messages import TOPICS
from common.events.offsets import UNKNOWN_EPOCH

if TYPE_CHECKING:
    from tests.simulation.world import World

GARBAGE = b"unreadable"


class Log:
    """The log of a partition. An entry of None is what no consumer gets: a marker, or an aborted record."""

    def __init__(self, topic_id: str) -> None:
        self.topic_id = topic_id
        self.beginning = 0
        self.entries: list[Any] = []
        self.truncated = False  # and no consumer has noticed

    @property
    def end(self) -> int:
        return self.beginning + len(self.entries)

    def read(self, offset: int, number: int) -> list[Any]:
        """At most so many entries from the offset on."""
        start = offset - self.beginning
        return self.entries[start : start + number]


class Broker:
    """Its own steps deliver late records, repeat old ones, add what is unreadable or aborted, and move partitions."""

    def __init__(self, world: "World", partitions: int) -> None:
        self._world = world
        self._partitions = range(partitions)
        self._created = 0
        self.logs: dict[TopicPartition, Log] = {}
        self.producers: list[Any] = []
        self.owners: dict[TopicPartition, Any] = {}
        self.event_ids: set[str] = set()  # of all events that were ever appended
        self.transactions: list[bytes] = []  # the values ever appended to `transactions`
        for topic in (*TOPICS, "transactions"):
            self.create(topic)

    def step(self) -> None:
        chance = self._world.random
        dice = chance.random()
        self._end_truncations()
        if dice < 0.5 or not self._world.faults:
            for producer in self.producers:
                producer.deliver_some()
        elif dice < 0.75:
            self.share_out()
        elif dice < 0.85:
            self._repeat_an_old_record()
        else:
            tp = chance.choice(sorted(self.consumed()))
            if self.accepts(tp):
                if dice < 0.92:
                    self.append(tp, None, GARBAGE, [])
                else:
                    self.logs[tp].entries += [None] * chance.randint(1, 3)

    def crash(self) -> None:
        pass

    def create(self, topic: str) -> None:
        """Create the topic again: the records of the topic with the same name before are lost."""
        self._created += 1
        for number in self._partitions:
            self.logs[TopicPartition(topic, number)] = Log(f"00000000-0000-4000-8000-{self._created:012}")

    def partitions(self, topic: str) -> set[int]:
        return {tp.partition for tp in self.logs if tp.topic == topic}

    def consumed(self) -> dict[TopicPartition, Log]:
        return {tp: log for tp, log in self.logs.items() if tp.topic in TOPICS}

    def share_out(self) -> None:
        for tp in self.consumed():
            self.owners[tp] = self._world.random.choice(self._world.balances)

    def partition_of(self, topic: str, key: bytes) -> TopicPartition:
        return TopicPartition(topic, sum(key) % len(self._partitions))

    def accepts(self, tp: TopicPartition) -> bool:
        """A log that was truncated takes nothing until a consumer has noticed: see world.py."""
        return not self.logs[tp].truncated

    def append(self, tp: TopicPartition, key: bytes | None, value: bytes, headers: list[tuple[str, bytes]]) -> None:
        log = self.logs[tp]
        place = {"topic": tp.topic, "partition": tp.partition, "offset": log.end, "leader_epoch": UNKNOWN_EPOCH}
        log.entries.append(SimpleNamespace(**place, timestamp=1, key=key, value=value, headers=headers))
        if event_id := dict(headers).get("event_id"):
            self.event_ids.add(event_id.decode())
        if tp.topic == "transactions":
            self.transactions.append(value)

    def remove_oldest(self, tp: TopicPartition) -> None:
        """Retention: the log begins later."""
        log = self.logs[tp]
        number = self._world.random.randint(0, len(log.entries))
        del log.entries[:number]
        log.beginning += number

    def truncate(self, tp: TopicPartition) -> bool:
        """Cut records off that were read, as a leader does that lacked them; whether it was possible."""
        log, stored = self.logs[tp], self._world.read_model.offset(tp)
        if not log.entries or stored is None or (stored.topic_id, stored.next_offset) != (log.topic_id, log.end):
            return False
        del log.entries[self._world.random.randrange(len(log.entries)) :]
        log.truncated = True
        return True

    def is_truncated(self) -> bool:
        return any(log.truncated for log in self.logs.values())

    def is_consumed(self) -> bool:
        return not self.is_truncated() and all(
            (stored := self._world.read_model.offset(tp)) is not None
            and (stored.topic_id, stored.next_offset) == (log.topic_id, log.end)
            for tp, log in self.consumed().items()
        )

    def _end_truncations(self) -> None:
        for tp, log in self.logs.items():
            stored = self._world.read_model.offset(tp)
            log.truncated = log.truncated and stored is not None and stored.next_offset > log.end

    def _repeat_an_old_record(self) -> None:
        tp = self._world.random.choice(sorted(self.logs))
        records = [entry for entry in self.logs[tp].entries if entry is not None]
        if records and self.accepts(tp):
            old = self._world.random.choice(records)
            self.append(tp, old.key, old.value, old.headers)
