"""Which process accepts the next connection: one that is ahead lets the others accept first, but not for ever."""

import pytest

from common.connection_share import AHEAD, YIELD_SECONDS, ConnectionCounts, ConnectionShare
from tests.eventually import eventually


@pytest.fixture
def shares() -> tuple[ConnectionShare, ConnectionShare]:
    counts = ConnectionCounts(2)
    return ConnectionShare(counts, 0), ConnectionShare(counts, 1)


def test_a_single_process_accepts_every_connection() -> None:
    share = ConnectionShare(ConnectionCounts(1), 0)
    share.update(900)

    assert share.may_accept()
    assert not share.is_yielding()


def test_a_process_that_is_ahead_yields_and_the_other_one_accepts(
    shares: tuple[ConnectionShare, ConnectionShare],
) -> None:
    ahead, behind = shares
    ahead.update(AHEAD)

    assert not ahead.may_accept()
    assert ahead.is_yielding()
    assert behind.may_accept()
    assert not behind.is_yielding()


def test_a_process_that_is_a_little_ahead_accepts(shares: tuple[ConnectionShare, ConnectionShare]) -> None:
    shares[0].update(AHEAD - 1)

    assert shares[0].may_accept()


def test_a_process_stops_yielding_once_the_other_one_has_accepted(
    shares: tuple[ConnectionShare, ConnectionShare],
) -> None:
    ahead, behind = shares
    ahead.update(AHEAD)
    ahead.may_accept()

    behind.update(1)

    assert not ahead.is_yielding()
    assert ahead.may_accept()


def test_a_connection_that_the_other_process_does_not_accept_is_accepted_after_a_moment(
    shares: tuple[ConnectionShare, ConnectionShare],
) -> None:
    ahead, _ = shares
    ahead.update(10 * AHEAD)
    ahead.may_accept()

    eventually(lambda: not ahead.is_yielding(), seconds=100 * YIELD_SECONDS)

    assert ahead.may_accept()
