"""One turn of the relay, with stand-ins for MySQL and Kafka: what is sent, in which order, and what is removed."""

import time
from datetime import datetime

import pytest
from kafka.errors import ClusterAuthorizationFailedError, InvalidTimestampError, TopicAuthorizationFailedError

from common.events.publish import (
    ACK_SECONDS,
    BATCH_ROWS,
    ClockRefused,
    EventTooLarge,
    NotAuthorized,
    Unacknowledged,
    relay_batch,
)
from tests.stand_ins import OutboxConnection, Producer

HAPPENED = datetime(2026, 11, 22, 11, 42, 20)


def row(number, request_id="r-1", sequence=7, event_id="e-1"):
    return (number, "balances", f"account {number}", f'{{"n":{number}}}', sequence, event_id, request_id, HAPPENED)


def ids(rows):
    return [each[0] for each in rows]


def test_the_oldest_go_first_and_are_removed_when_kafka_has_them():
    connection, producer = OutboxConnection([row(12), row(10), row(11)]), Producer()

    relayed = relay_batch(connection, producer)

    assert relayed == 3
    assert [sent.value for sent in producer.sent] == [b'{"n":10}', b'{"n":11}', b'{"n":12}']
    assert connection.rows == []


def test_a_message_carries_its_topic_key_value_and_headers():
    producer = Producer()

    relay_batch(OutboxConnection([row(10)]), producer)

    (sent,) = producer.sent
    assert (sent.topic, sent.key, sent.value) == ("balances", b"account 10", b'{"n":10}')
    assert sent.headers == [
        ("sequence", b"7"),
        ("occurred_at", b"2026-11-22T11:42:20.000000Z"),
        ("event_id", b"e-1"),
        ("request_id", b"r-1"),
    ]


def test_what_no_request_asked_for_has_no_request_id():
    producer = Producer()

    relay_batch(OutboxConnection([row(10, request_id=None)]), producer)

    assert [key for key, _ in producer.sent[0].headers] == ["sequence", "occurred_at", "event_id"]


def test_a_row_of_the_version_before_goes_out_under_its_id():
    producer = Producer()

    relay_batch(OutboxConnection([row(10, sequence=None, event_id=None)]), producer)

    assert producer.sent[0].headers == [
        ("sequence", b"10"),
        ("occurred_at", b"2026-11-22T11:42:20.000000Z"),
        ("request_id", b"r-1"),
    ]


def test_an_event_that_is_too_large_for_its_topic_is_named_and_keeps_its_place():
    connection, producer = OutboxConnection([row(10), row(11), row(12)]), Producer(too_large={1})

    with pytest.raises(EventTooLarge, match="outbox row 11, key account 11, has 8 bytes; topic balances does not"):
        relay_batch(connection, producer)

    assert ids(connection.rows) == [11, 12]


@pytest.mark.parametrize("refusal", [TopicAuthorizationFailedError, ClusterAuthorizationFailedError])
def test_a_topic_that_refuses_the_user_is_named_and_the_event_keeps_its_place(refusal):
    connection, producer = OutboxConnection([row(10), row(11), row(12)]), Producer(failures={1: refusal()})

    with pytest.raises(NotAuthorized, match=r"outbox row 11, key account 11, is refused: .* write to topic balances"):
        relay_batch(connection, producer)

    assert ids(connection.rows) == [11, 12]


def test_a_broker_whose_clock_is_another_one_is_no_outage_and_the_event_keeps_its_place():
    connection, producer = (
        OutboxConnection([row(10), row(11), row(12)]),
        Producer(failures={1: InvalidTimestampError()}),
    )

    with pytest.raises(ClockRefused, match=r"outbox row 11, key account 11, is refused by topic balances: the clocks"):
        relay_batch(connection, producer)

    assert ids(connection.rows) == [11, 12]


def test_what_was_sent_before_an_event_that_cannot_be_sent_is_waited_for_and_removed():
    connection, producer = OutboxConnection([row(10), row(11), row(12)]), Producer(refusing={2})

    with pytest.raises(Unacknowledged, match="no metadata for message 2"):
        relay_batch(connection, producer)

    assert len(producer.waits) == 2
    assert ids(connection.rows) == [12]


def test_a_turn_can_be_limited_to_a_single_event():
    connection, producer = OutboxConnection([row(10), row(11)]), Producer()

    assert relay_batch(connection, producer, limit=1) == 1
    assert ids(connection.rows) == [11]


def test_an_empty_outbox_is_no_work():
    connection, producer = OutboxConnection([]), Producer()

    assert relay_batch(connection, producer) == 0
    assert connection.deletes == []


@pytest.mark.parametrize(
    ("failing", "remaining"), [({0}, [10, 11, 12, 13]), ({2}, [12, 13]), ({1, 3}, [11, 12, 13]), ({3}, [13])]
)
def test_only_the_prefix_that_kafka_acknowledged_is_removed(failing, remaining):
    connection, producer = OutboxConnection([row(10), row(11), row(12), row(13)]), Producer(failing)

    with pytest.raises(Unacknowledged, match=f"message {min(failing)} was not acknowledged"):
        relay_batch(connection, producer)

    assert ids(connection.rows) == remaining


def test_the_delete_is_no_range_so_a_row_with_a_lower_id_that_commits_later_stays():
    connection = OutboxConnection([row(12)])
    producer = Producer(on_get=lambda: connection.rows.append(row(11)))

    relay_batch(connection, producer)

    assert ids(connection.rows) == [11]
    assert connection.deletes == [[12]]


def test_a_turn_takes_the_oldest_two_thousand_and_removes_exactly_those():
    connection, producer = OutboxConnection(row(n) for n in range(1, BATCH_ROWS + 2)), Producer()

    assert relay_batch(connection, producer) == BATCH_ROWS
    assert ids(connection.rows) == [BATCH_ROWS + 1]
    assert connection.deletes == [list(range(1, BATCH_ROWS + 1))]


def test_all_of_a_turn_is_handed_over_before_the_first_acknowledgement_is_waited_for():
    connection = OutboxConnection([row(10), row(11)])
    sent_before_waiting = []
    producer = Producer(on_get=lambda: sent_before_waiting.append(len(producer.sent)))

    relay_batch(connection, producer)

    assert sent_before_waiting == [2, 2]


def test_every_acknowledgement_is_waited_for_but_all_of_them_together_no_longer_than_the_limit():
    producer = Producer(failing={0}, on_get=lambda: time.sleep(0.001))

    with pytest.raises(Unacknowledged):
        relay_batch(OutboxConnection([row(10), row(11), row(12)]), producer)

    assert len(producer.waits) == 3
    assert ACK_SECONDS >= producer.waits[0] > producer.waits[1] > producer.waits[2] > 0
