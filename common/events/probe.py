"""Asks MySQL and Kafka how far the projection and the logs are, and requests a rebalance for unread partitions."""

import logging
import time
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, TopicAuthorizationFailedError

from common.events import offsets
from common.events.assignment import Assignment
from common.events.offsets import Partition
from common.events.state import State
from common.kafka import REFUSALS, unresolvable
from common.kafka_internals import (
    PartitionUnavailable,
    end_offsets,
    leaderless,
    partitions_of,
    request_rejoin,
    topic_id,
    unauthorized_topics,
)
from common.mysql import Database, DatabaseUnavailable

REJOIN_SECONDS = 5  # a partition without a consumer for so long: longer than a group takes to assign it
MOST_REJOIN_SECONDS = 300
METADATA_SECONDS = 10  # after so long a topic that the client's metadata does not have is one that does not exist

log = logging.getLogger("consumer")


class Probe:
    """Writes the answers to `state`, and invalidates each position that is no longer the stored offset."""

    def __init__(
        self,
        client: KafkaConsumer,
        topics: Sequence[str],
        assignment: Assignment,
        state: State,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._topics = topics
        self._assignment = assignment
        self._state = state
        self._rebalances = Rebalances(lambda: request_rejoin(client), clock)
        self._found: set[str] = set()
        self._clock, self._started_at = clock, clock()

    def run(self, database: Database) -> bool:
        """Ask for the ends of all logs and for all stored offsets, of the other members too; whether both answered.

        Raises one of REFUSALS.
        """
        if refused := unauthorized_topics(self._client):
            raise TopicAuthorizationFailedError(refused)
        asked_at = time.time()
        partitions = [Partition(*each) for each in partitions_of(self._client, self._topics)]
        without_leader = leaderless(self._client, partitions)
        ends = self._ends([partition for partition in partitions if partition not in without_leader])
        try:
            stored = database.read(offsets.read_all, self._topics)
        except DatabaseUnavailable:
            self._state.mysql_reads = "down"
            return False
        self._state.mysql_reads = "up"
        if moved := self._assignment.invalidate_moved(stored):
            log.warning(
                "the stored offset moved (the database was restored, or another consumer committed)",
                extra=offsets.named(moved),
            )
        if ends is None:
            return False
        found = {partition.topic for partition in partitions}
        missing = set(self._topics) - found
        self._found |= found
        new_client = self._clock() < self._started_at + METADATA_SECONDS  # its first metadata may be on the way
        self._state.missing_topics = sorted(missing & self._found if new_client else missing)
        self._state.leaderless = sorted(partition for partition in partitions if partition in without_leader)
        self._state.progress.observe(ends, stored, asked_at, complete=not missing and not without_leader)
        # A member that consumes a partition stores its offset, with the topic's id.
        ids = {topic: topic_id(self._client, topic) for topic in found}
        read = {each for each in partitions if each in stored and stored[each].topic_id == ids[each.topic]}
        self._rebalances.check(set(partitions) - read - self._assignment.positions.keys())
        return True

    def _ends(self, partitions: Sequence[Partition]) -> dict[Partition, int] | None:
        """The ends of the logs, None while Kafka is unavailable."""
        try:
            ends = end_offsets(self._client, [TopicPartition(*each) for each in partitions])
        except REFUSALS:
            raise
        except PartitionUnavailable:
            return None  # the next probe leaves this partition out
        except KafkaError:
            if self._state.kafka != "down":
                self._state.broker_problem = unresolvable(self._client)
            self._state.kafka = "down"
            return None
        self._state.broker_problem = None
        if partitions:  # without any, nothing was asked
            self._state.kafka = "up"
        return {Partition(*tp): end for tp, end in ends.items()}


class Rebalances:
    """Requests a rebalance while partitions have no consumer, at growing intervals.

    A static member that returns gets its old partitions. Neither the member nor the group compares them with the
    topics, so partitions that were added in between would have no consumer. A rebalance does not help where a foreign
    member has the partition and stores nothing.
    """

    def __init__(self, request: Callable[[], None], clock: Callable[[], float]) -> None:
        self._request = request
        self._clock = clock
        self._unread: AbstractSet[Partition] = frozenset()
        self._logged: AbstractSet[Partition] = frozenset()
        self._pause = self._request_at = 0.0

    def check(self, unread: AbstractSet[Partition]) -> None:
        """`unread`: partitions that this consumer does not consume and of whose topic no offset was ever stored.

        Those of a re-created topic are among them: a member that joins in between does not get them.
        """
        now = self._clock()
        if unread - self._unread:  # the group has time to assign them
            self._pause = REJOIN_SECONDS
            self._request_at = now + self._pause
        elif unread and now >= self._request_at:
            if unread != self._logged:
                log.warning("partitions without a consumer: the group rebalances", extra=offsets.named(unread))
                self._logged = unread
            self._request()
            self._pause = min(2 * self._pause, MOST_REJOIN_SECONDS)
            self._request_at = now + self._pause
        self._unread = unread
