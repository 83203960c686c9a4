"""The lag of a projection, its age and its stalled partitions, from what Kafka and MySQL held."""

import json
from typing import Any

import pytest

from common.events.offsets import Partition, StoredOffset
from common.events.progress import CLOCK_TOLERANCE_SECONDS, LISTED, STALLED_SECONDS, Progress

NOW = 1_795_000_000.0
FIRST, SECOND = Partition("balances", 0), Partition("balances", 1)


def observed(progress: Progress, now: float = NOW, position: int = 0, end: int = 0, complete: bool = True) -> None:
    """What Kafka and MySQL hold of the first partition."""
    progress.observe({FIRST: end}, {FIRST: StoredOffset("T1", position)}, now, complete)


def applied(progress: Progress, next_offset: int, timestamp: float, now: float = NOW) -> None:
    """A record of the first partition, with its timestamp in seconds, was applied."""
    progress.applied({FIRST: next_offset}, {FIRST: round(timestamp * 1000)}, {"applied": 1}, now)


def lag_seconds(progress: Progress, now: float) -> float:
    return float(progress.snapshot([FIRST], now)["partitions"][0]["lag_seconds"])


def test_the_lag_counts_every_partition_whether_or_not_it_is_consumed() -> None:
    progress = Progress()

    progress.observe({FIRST: 10, SECOND: 5}, {FIRST: StoredOffset("T1", 7)}, NOW)

    snapshot = progress.snapshot([FIRST], NOW)
    assert (snapshot["lag"], snapshot["partitions_total"], snapshot["partitions_consumed"]) == (8, 2, 1)
    assert [(each["lag"], each["consumed"]) for each in snapshot["partitions"]] == [(3, True), (5, False)]


def test_the_lag_in_seconds_begins_where_the_last_applied_record_was_published() -> None:
    progress = Progress()
    observed(progress, now=NOW - 60, end=10)

    applied(progress, 5, timestamp=NOW - 3)

    assert lag_seconds(progress, NOW) == 3


def test_without_a_lag_there_are_no_seconds_of_it() -> None:
    progress = Progress()
    observed(progress, now=NOW - 60, end=5)

    applied(progress, 5, timestamp=NOW - 30)

    assert lag_seconds(progress, NOW) == 0


@pytest.mark.parametrize("ahead", [60, 3_600, 86_400, 10**15], ids=["a minute", "an hour", "a day", "in microseconds"])
def test_a_producer_whose_clock_is_ahead_hides_no_lag_and_gives_no_event_from_the_future(ahead: float) -> None:
    progress = Progress()
    observed(progress, now=NOW - 30, end=10)

    applied(progress, 5, timestamp=NOW + ahead, now=NOW)

    assert lag_seconds(progress, NOW) == 30
    assert progress.last_event_at == NOW


def test_after_a_record_from_the_future_a_correct_one_counts_again() -> None:
    progress = Progress()
    observed(progress, now=NOW - 30, end=10)
    applied(progress, 5, timestamp=NOW + 3_600)

    applied(progress, 6, timestamp=NOW + 9, now=NOW + 10)

    assert lag_seconds(progress, NOW + 11) == 2
    assert progress.last_event_at == NOW + 9


def test_clocks_that_differ_by_a_little_are_no_error() -> None:
    progress = Progress()
    observed(progress, now=NOW - 30, end=10)

    applied(progress, 5, timestamp=NOW + CLOCK_TOLERANCE_SECONDS)

    assert lag_seconds(progress, NOW) == 0
    assert progress.last_event_at == NOW


def test_a_record_without_a_timestamp_changes_no_time() -> None:
    progress = Progress()
    observed(progress, now=NOW - 30, end=10)

    applied(progress, 5, timestamp=-0.001)

    assert lag_seconds(progress, NOW) == 30
    assert progress.last_event_at is None


def test_a_partition_with_records_that_does_not_move_is_stalled_after_a_while() -> None:
    progress = Progress()
    observed(progress, end=10)
    observed(progress, now=NOW + STALLED_SECONDS, end=10)

    assert progress.stalled(NOW + STALLED_SECONDS - 0.1) == []
    assert progress.stalled(NOW + STALLED_SECONDS) == [FIRST]


def test_all_is_caught_up_as_of_the_time_at_which_the_ends_were_asked_for() -> None:
    progress = Progress()
    observed(progress, end=10)
    applied(progress, 10, timestamp=NOW, now=NOW + 7)

    observed(progress, now=NOW + 9, position=10, end=12)

    assert progress.caught_up_at == NOW


def test_with_a_topic_missing_nothing_is_caught_up() -> None:
    progress = Progress()

    observed(progress, position=5, end=5, complete=False)

    assert progress.caught_up_at is None


def test_a_snapshot_of_five_thousand_partitions_lists_those_that_need_attention() -> None:
    progress = Progress()
    partitions = [Partition("balances", number) for number in range(5_000)]
    progress.observe(dict.fromkeys(partitions, 7) | {partitions[4_999]: 9}, {}, NOW)

    snapshot = progress.snapshot(partitions, NOW)

    assert (snapshot["lag"], len(snapshot["partitions"])) == (35_002, LISTED)
    assert snapshot["partitions"][-1]["partition"] == 4_999
    assert len(json.dumps(snapshot)) < 64 * 1024


def test_a_consumer_that_fails_again_and_again_hides_neither_its_lag_nor_that_a_partition_is_stalled() -> None:
    snapshot: dict[str, Any] = {}
    for failure in range(STALLED_SECONDS + 1):
        now = NOW + failure
        progress = Progress()
        progress.restore(json.loads(json.dumps(snapshot)), now - 1)
        observed(progress, now=now, position=3, end=4)
        snapshot = progress.snapshot([FIRST], now)

    assert progress.stalled(now) == [FIRST]
    assert lag_seconds(progress, now) == STALLED_SECONDS


def test_a_restored_partition_that_moves_is_not_stalled() -> None:
    before, after = Progress(), Progress()
    observed(before, position=3, end=4)

    after.restore(before.snapshot([FIRST], NOW + STALLED_SECONDS), NOW + STALLED_SECONDS)
    observed(after, now=NOW + STALLED_SECONDS + 1, position=4, end=5)

    assert after.stalled(NOW + STALLED_SECONDS + 2) == []


def test_what_a_restored_consumer_knew_is_still_known() -> None:
    before, after = Progress(), Progress()
    observed(before, position=3, end=3)
    applied(before, 4, timestamp=NOW - 1)

    after.restore(before.snapshot([FIRST], NOW), NOW)

    assert (after.last_event_at, after.caught_up_at, after.events) == (NOW - 1, NOW, before.events)


def test_a_first_consumer_has_nothing_to_restore() -> None:
    progress = Progress()

    progress.restore({}, NOW)

    assert progress.snapshot([], NOW) == Progress().snapshot([], NOW)
