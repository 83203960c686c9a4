"""Where to read on in a log, given what is stored and what the log still holds."""

from hypothesis import given
from hypothesis import strategies as st

from balances.positions import Position, Start, start_at

HERE, ANEW = "kQ3vXbJ5T6S0h1r8yZ2c4w", "Zb7hN2mVQ9uC0xT4kLr6Yg"


def test_it_goes_on_where_it_was_left():
    assert start_at(Position(HERE, 70), HERE, beginning=0, end=100) == Start(70, None)


def test_at_the_very_end_there_is_nothing_to_say():
    assert start_at(Position(HERE, 100), HERE, beginning=0, end=100) == Start(100, None)


def test_at_the_very_beginning_nothing_is_missing():
    assert start_at(Position(HERE, 30), HERE, beginning=30, end=100) == Start(30, None)


def test_the_first_time_it_reads_from_the_beginning():
    assert start_at(None, HERE, beginning=0, end=100) == Start(0, "reads for the first time")


def test_the_first_time_in_a_log_whose_beginning_is_gone_history_is_gone():
    start = start_at(None, HERE, beginning=30, end=100)

    assert start == Start(30, "the log does not begin at 0 and nothing of it was read", history_gone=True)


def test_a_topic_made_anew_is_read_from_its_beginning_even_if_it_is_longer_by_now():
    start = start_at(Position(HERE, 70), ANEW, beginning=0, end=100)

    assert start == Start(0, "the topic was made anew", history_gone=True)  # the old one may have held unread records


def test_a_log_shorter_than_what_was_read_of_it_was_truncated():
    assert start_at(Position(HERE, 70), HERE, beginning=0, end=69) == Start(0, "the log was truncated")


def test_a_truncated_log_whose_beginning_is_gone_has_lost_history():
    start = start_at(Position(HERE, 70), HERE, beginning=30, end=69)

    assert start == Start(30, "the log was truncated", history_gone=True)


def test_records_that_were_removed_unread_are_history_gone():
    start = start_at(Position(HERE, 29), HERE, beginning=30, end=100)

    assert start == Start(30, "records were removed before they were read", history_gone=True)


@given(
    stored=st.none() | st.builds(Position, st.sampled_from([HERE, ANEW]), st.integers(0, 9)),
    bounds=st.tuples(st.integers(0, 9), st.integers(0, 9)).map(sorted),
)
def test_the_start_is_always_in_the_log_and_skips_nothing_without_saying_so(stored, bounds):
    beginning, end = bounds

    start = start_at(stored, HERE, beginning, end)

    assert beginning <= start.offset <= end
    read_before = stored.next_offset if stored and stored.topic_id == HERE else 0
    if start.offset > read_before:
        assert start.history_gone
    if start.finding is None:
        assert stored == Position(HERE, start.offset)
