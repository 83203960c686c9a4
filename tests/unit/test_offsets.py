"""Where to continue in a log, given what is stored and what the log still holds."""

from hypothesis import given
from hypothesis import strategies as st

from common.events.offsets import UNKNOWN_EPOCH, Start, StoredOffset, start_at

HERE, OTHER = "kQ3vXbJ5T6S0h1r8yZ2c4w", "Zb7hN2mVQ9uC0xT4kLr6Yg"


def test_it_goes_on_where_it_was_left():
    assert start_at(StoredOffset(HERE, 70), HERE, beginning=0, end=100) == Start(70, None)


def test_at_the_very_end_there_is_no_reason_to_give():
    assert start_at(StoredOffset(HERE, 100), HERE, beginning=0, end=100) == Start(100, None)


def test_at_the_very_beginning_nothing_is_missing():
    assert start_at(StoredOffset(HERE, 30), HERE, beginning=30, end=100) == Start(30, None)


def test_the_first_time_it_reads_from_the_beginning():
    assert start_at(None, HERE, beginning=0, end=100) == Start(0, "first read")


def test_the_first_time_in_a_log_whose_beginning_is_gone_data_is_lost():
    start = start_at(None, HERE, beginning=30, end=100)

    assert start == Start(30, "the log does not begin at 0 and nothing of it was read", data_loss=True)


def test_a_recreated_topic_is_read_from_its_beginning_even_if_it_is_longer_by_now():
    start = start_at(StoredOffset(HERE, 70), OTHER, beginning=0, end=100)

    assert start == Start(0, "the topic was re-created", data_loss=True)  # the old one may have held unread records


def test_a_log_shorter_than_what_was_read_of_it_was_truncated_and_has_lost_what_came_between():
    assert start_at(StoredOffset(HERE, 70), HERE, beginning=0, end=69) == Start(
        0, "the log was truncated", data_loss=True
    )


def test_a_truncated_log_whose_beginning_is_gone_starts_at_what_is_left():
    start = start_at(StoredOffset(HERE, 70), HERE, beginning=30, end=69)

    assert start == Start(30, "the log was truncated", data_loss=True)


def test_records_that_were_removed_unread_are_lost():
    start = start_at(StoredOffset(HERE, 29), HERE, beginning=30, end=100)

    assert start == Start(30, "records were removed before they were read", data_loss=True)


def test_without_topic_ids_it_goes_on_where_it_was_left():
    assert start_at(StoredOffset("", 70), "", beginning=0, end=100) == Start(70, None)


def test_a_broker_that_learned_topic_ids_has_the_same_topic():
    start = start_at(StoredOffset("", 70, 3), HERE, beginning=0, end=100)

    assert start == Start(70, "the broker's topic id is known now", leader_epoch=3)


def test_without_topic_ids_a_recreated_topic_is_recognised_by_its_end():
    assert start_at(StoredOffset("", 70), "", beginning=0, end=3).data_loss


@given(
    stored=st.none() | st.builds(StoredOffset, st.sampled_from([HERE, OTHER]), st.integers(0, 9), st.integers(-1, 9)),
    bounds=st.tuples(st.integers(0, 9), st.integers(0, 9)).map(sorted),
    diverged=st.none() | st.integers(0, 9),
)
def test_the_start_is_always_in_the_log_and_skips_nothing_without_reporting_it(stored, bounds, diverged):
    beginning, end = bounds

    start = start_at(stored, HERE, beginning, end, diverged)

    assert beginning <= start.offset <= end
    read_before = stored.next_offset if stored and stored.topic_id == HERE else 0
    if start.offset > read_before:
        assert start.data_loss
    if start.reason is None:
        assert stored == StoredOffset(HERE, start.offset, start.leader_epoch)
    else:  # what is before another offset was never read: it has no known leader epoch
        assert start.leader_epoch == UNKNOWN_EPOCH
