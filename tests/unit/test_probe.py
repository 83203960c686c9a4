"""When a consumer requests a rebalance for partitions that nobody consumes."""

import pytest

from common.events.offsets import Partition
from common.events.probe import MOST_REJOIN_SECONDS, REJOIN_SECONDS, Rebalances

FIRST, SECOND = Partition("balances", 0), Partition("balances", 1)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


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
