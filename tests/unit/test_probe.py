"""What a probe finds out, and when it requests a rebalance for partitions that nobody consumes."""

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.errors import TopicAuthorizationFailedError

from common.events.offsets import Partition, StoredOffset
from common.events.probe import METADATA_SECONDS, MOST_REJOIN_SECONDS, REJOIN_SECONDS, Probe, Rebalances
from common.events.state import State

FIRST, SECOND = Partition("balances", 0), Partition("balances", 1)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Metadata:
    """A KafkaConsumer whose topic has two partitions, each log with 5 records."""

    def __init__(self) -> None:
        self.leaders = {FIRST: 1, SECOND: 1}
        self.shrinks_at_once = False
        self.topic_id = "T1"
        self._coordinator = SimpleNamespace(request_rejoin=lambda: self.rejoins.append(self.topic_id))
        self.rejoins: list[str] = []
        self._cluster = SimpleNamespace(
            partitions_for_topic=lambda topic: {partition.partition for partition in self.leaders},
            leader_for_partition=lambda tp: self.leaders.get(tp),
            topic_id=lambda topic: self.topic_id,
            _lock=nullcontext(),
            unauthorized_topics=set(),
        )

    def end_offsets(self, partitions: list[TopicPartition], timeout_ms: int) -> dict[TopicPartition, int]:
        if self.shrinks_at_once:
            del self.leaders[SECOND]
            self.shrinks_at_once = False
        # The library asks only for those that have a leader, and then raises KeyError for the others.
        answer = {tp: 5 for tp in partitions if self.leaders.get(Partition(*tp), -1) != -1}
        return {tp: answer[tp] for tp in partitions}


@pytest.fixture
def metadata() -> Metadata:
    return Metadata()


@pytest.fixture
def state() -> State:
    return State(kafka="up")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def probe(metadata: Metadata, state: State, clock: Clock) -> Any:
    """Runs the probe against a database with offset 5 of both partitions."""
    stored = dict.fromkeys((FIRST, SECOND), StoredOffset("T1", 5))
    database: Any = SimpleNamespace(read=lambda query, topics: stored)
    assignment: Any = SimpleNamespace(invalidate_moved=lambda stored: [], positions={})
    client: Any = metadata
    probe = Probe(client, ["balances"], assignment, state, clock)
    return lambda: probe.run(database)


def test_a_topic_that_shrinks_during_a_probe_is_what_the_next_probe_finds(
    probe: Any, metadata: Metadata, state: State
) -> None:
    metadata.shrinks_at_once = True
    interrupted = probe()

    assert (interrupted, state.kafka) == (False, "up")
    assert probe()
    assert [each["partition"] for each in state.progress.snapshot([], 0.0)["partitions"]] == [0]


def test_a_partition_without_a_leader_hides_none_of_the_others(probe: Any, metadata: Metadata, state: State) -> None:
    metadata.leaders[SECOND] = -1

    assert probe()
    assert (state.kafka, state.leaderless) == ("up", [SECOND])
    assert [each["partition"] for each in state.progress.snapshot([], 0.0)["partitions"]] == [0]
    assert state.progress.caught_up_at is None  # nobody knows what the other one holds


def test_a_partition_that_has_a_leader_again_is_no_problem_any_more(
    probe: Any, metadata: Metadata, state: State
) -> None:
    metadata.leaders[SECOND] = -1
    probe()
    metadata.leaders[SECOND] = 1

    assert probe()
    assert state.leaderless == []
    assert state.progress.caught_up_at is not None


def test_a_topic_that_the_acls_hide_is_a_refusal_and_no_missing_topic(
    probe: Any, metadata: Metadata, state: State
) -> None:
    metadata.leaders.clear()
    metadata._cluster.unauthorized_topics = {"balances"}

    with pytest.raises(TopicAuthorizationFailedError):
        probe()
    assert state.missing_topics == []


def test_a_topic_is_not_missing_before_the_client_has_its_first_metadata(
    probe: Any, metadata: Metadata, state: State
) -> None:
    leaders = dict(metadata.leaders)
    metadata.leaders.clear()
    probe()
    before = list(state.missing_topics)
    metadata.leaders.update(leaders)
    probe()
    metadata.leaders.clear()
    probe()

    assert (before, state.missing_topics) == ([], ["balances"])


def test_a_topic_that_the_client_never_finds_is_missing_in_the_end(
    probe: Any, metadata: Metadata, state: State, clock: Clock
) -> None:
    metadata.leaders.clear()
    probe()
    clock.now = METADATA_SECONDS
    probe()

    assert state.missing_topics == ["balances"]


def test_the_group_rebalances_for_the_partitions_of_a_recreated_topic_that_no_member_got(
    probe: Any, metadata: Metadata, clock: Clock
) -> None:
    probe()
    clock.now = REJOIN_SECONDS
    probe()
    before = list(metadata.rejoins)
    metadata.topic_id = "T2"
    probe()
    clock.now += REJOIN_SECONDS
    probe()

    assert (before, metadata.rejoins) == ([], ["T2"])


class Group:
    """The rebalances that were requested, each with its time."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.requests: list[float] = []
        self.rebalances = Rebalances(lambda: self.requests.append(self.clock.now), self.clock)

    def check(self, *unread: Partition, seconds: int) -> None:
        """Check every second for so long."""
        for _ in range(seconds):
            self.rebalances.check(set(unread))
            self.clock.now += 1


@pytest.fixture
def group() -> Group:
    return Group()


def test_a_partition_without_a_consumer_causes_a_rebalance_once_the_group_had_time_to_assign_it(group: Group) -> None:
    group.check(FIRST, seconds=REJOIN_SECONDS)
    early = list(group.requests)
    group.check(FIRST, seconds=1)

    assert (early, group.requests) == ([], [REJOIN_SECONDS])


def test_a_rebalance_that_does_not_help_is_requested_less_and_less_often(group: Group) -> None:
    group.check(FIRST, seconds=3_600)

    pauses = [later - earlier for earlier, later in zip(group.requests, group.requests[1:], strict=False)]
    assert pauses[:4] == [10, 20, 40, 80]
    assert max(pauses) == MOST_REJOIN_SECONDS
    assert len(group.requests) < 20


def test_partitions_without_a_consumer_are_logged_once_until_they_are_others(
    group: Group, caplog: pytest.LogCaptureFixture
) -> None:
    group.check(FIRST, seconds=60)
    group.check(FIRST, SECOND, seconds=60)

    assert [record.partitions for record in caplog.records] == [  # type: ignore[attr-defined]
        ["balances[0]"],
        ["balances[0]", "balances[1]"],
    ]


def test_a_partition_that_is_added_later_is_not_delayed_by_the_pause_of_an_earlier_one(group: Group) -> None:
    group.check(FIRST, seconds=2_000)
    began = group.clock.now

    group.check(FIRST, SECOND, seconds=REJOIN_SECONDS + 1)

    assert group.requests[-1] == began + REJOIN_SECONDS


def test_partitions_that_change_from_check_to_check_cause_no_rebalance(group: Group) -> None:
    for _ in range(20):
        group.check(FIRST, seconds=2)
        group.check(seconds=1)

    assert group.requests == []
