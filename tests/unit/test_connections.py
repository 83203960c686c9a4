"""Which connections are closed to make room: those whose client keeps the service waiting."""

import math
import time
from types import SimpleNamespace

import pytest

from common.connections import (
    OVERLOADED_SECONDS,
    PENDING_OUTPUT_BYTES,
    REQUEST_SECONDS,
    RESPONSE_SECONDS,
    Channel,
    close_idle_connections,
)

IDLE_SECONDS = 60
LIMIT = 900


def channel(waited=0.0, requests=(), pending_output=0, partial=False):
    """A connection without a socket, as it stands after its client has kept the service waiting so many seconds."""
    channel = Channel.__new__(Channel)
    channel.__dict__.update(
        since=time.monotonic() - waited,
        requests=list(requests),
        total_outbufs_len=pending_output,
        request=object() if partial else None,
        adj=SimpleNamespace(channel_timeout=IDLE_SECONDS),
    )
    return channel


def closed(*channels):
    """One turn of close_idle_connections over these channels; which of them it closes."""
    server = SimpleNamespace(
        active_channels=dict(enumerate(channels)),
        adj=SimpleNamespace(connection_limit=LIMIT),
        pull_trigger=lambda: None,
    )
    turns = iter([False, True])
    close_idle_connections(server, SimpleNamespace(wait=lambda seconds: next(turns)))
    return [each.will_close for each in channels]


@pytest.mark.parametrize(
    ("keeps_waiting", "seconds"),
    [
        ({}, IDLE_SECONDS),
        ({"partial": True}, REQUEST_SECONDS),
        ({"pending_output": 1}, RESPONSE_SECONDS),
        ({"pending_output": 1, "requests": ["next"]}, RESPONSE_SECONDS),
    ],
    ids=["idle", "dripping", "not taking", "not taking, with another request"],
)
def test_each_way_of_keeping_the_service_waiting_has_its_limit(keeps_waiting, seconds):
    assert closed(channel(seconds - 1, **keeps_waiting), channel(seconds + 1, **keeps_waiting)) == [False, True]


def test_a_client_that_waits_for_the_service_is_never_closed_not_even_under_overload():
    waiting = channel(10_000, requests=["slow"])

    assert waiting.allowed_seconds(overloaded=True) == math.inf
    assert closed(waiting, *many_idle())[:2] == [False, True]


def test_under_overload_two_seconds_are_all_that_is_given():
    patient, hasty = channel(OVERLOADED_SECONDS + 1), channel(OVERLOADED_SECONDS - 1)

    assert closed(patient, hasty, *many_idle())[:2] == [True, False]


def test_responses_that_nobody_takes_are_given_up_oldest_first_before_they_fill_the_memory():
    oldest, older, newest = (channel(waited, pending_output=PENDING_OUTPUT_BYTES // 2) for waited in (3, 2, 1))

    assert closed(newest, oldest, older) == [False, True, False]


def many_idle():
    return [channel(OVERLOADED_SECONDS + 1) for _ in range(LIMIT * 3 // 4 + 1)]
