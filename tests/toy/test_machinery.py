"""Each part of the event machinery on the tables of the toy pair, on a real server."""

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from common.events import dead_letters, offsets
from common.events.dead_letters import AlreadyReprocessed, Parked, UnreadableRecord
from common.events.idempotency import IdempotencyKeys, Key, KeyReused, Response, StillInProgress
from common.events.lease import Lease
from common.events.offsets import Change, OffsetMoved, Partition, Start, StoredOffset
from common.events.relay import Unacknowledged, relay_batch
from common.mysql import Connection, Cursor, Database
from tests.stand_ins import Producer, record
from tests.toy import orders, stock
from tests.toy.tables import execute, rows

PARTITION = Partition("orders", 0)
KEY = Key("POST /orders", "a-key", b"x" * 32)
CREATED = Response(201, "{}", '{"id":1}')


@pytest.fixture
def connection(orders_database: Database) -> Iterator[Connection]:
    with closing(orders_database.connect()) as connection:
        yield connection


@contextmanager
def open_transaction(database: Database) -> Iterator[tuple[Connection, Cursor]]:
    """A transaction on a connection of its own; without a COMMIT it is rolled back."""
    with closing(database.connect()) as connection, Cursor(connection) as cursor:
        connection.begin()
        yield connection, cursor


# ---- stored offsets


@pytest.fixture
def at_five(stock_database: Database) -> Database:
    with stock_database.transaction() as cursor:
        offsets.replace(cursor, {PARTITION: Change(None, "topic id", Start(5, None))})
    return stock_database


@pytest.mark.parametrize(
    "expected", [StoredOffset("topic id", 4), StoredOffset("topic id", 6), StoredOffset("another", 5)]
)
def test_an_offset_moves_only_from_the_expected_one(at_five: Database, expected: StoredOffset) -> None:
    with pytest.raises(OffsetMoved), at_five.transaction() as cursor:
        offsets.advance(cursor, {PARTITION: (expected, expected._replace(next_offset=9))})

    assert at_five.read(offsets.read_all, ["orders"]) == {PARTITION: StoredOffset("topic id", 5)}


def test_a_batch_with_one_partition_that_moved_changes_none(at_five: Database) -> None:
    second = Partition("orders", 1)
    with at_five.transaction() as cursor:
        offsets.replace(cursor, {second: Change(None, "topic id", Start(7, None))})

    first, wrong = StoredOffset("topic id", 5), StoredOffset("topic id", 8)
    moves = {PARTITION: (first, first._replace(next_offset=6)), second: (wrong, wrong._replace(next_offset=9))}

    with pytest.raises(OffsetMoved), at_five.transaction() as cursor:
        offsets.advance(cursor, moves)

    assert {each.next_offset for each in at_five.read(offsets.read_all, ["orders"]).values()} == {5, 7}


def test_two_consumers_cannot_both_initialize_a_partition(at_five: Database) -> None:
    with pytest.raises(OffsetMoved), at_five.transaction() as cursor:
        offsets.replace(cursor, {PARTITION: Change(None, "topic id", Start(0, None))})


# ---- dead letters


def test_a_dead_letter_counts_once_however_often_it_is_reprocessed(stock_database: Database) -> None:
    first, resend = (sale_record(offset) for offset in (1, 2))
    with stock_database.transaction() as cursor:
        dead_letters.park(cursor, [Parked(each, "topic id", "refused") for each in (first, resend)])
    (one, two) = stock_database.read(dead_letters.list_after, 0, 10)

    for each in (one, two):
        with stock_database.transaction() as cursor:
            dead_letters.reprocess(cursor, each.id, stock.parse, stock.apply)
    with pytest.raises(AlreadyReprocessed), stock_database.transaction() as cursor:
        dead_letters.reprocess(cursor, one.id, stock.parse, stock.apply)

    assert rows(stock_database, "SELECT product, sold FROM stock") == (("bolt", 3),)


def test_a_dead_letter_that_is_still_unreadable_stays_parked(stock_database: Database) -> None:
    with stock_database.transaction() as cursor:
        dead_letters.park(cursor, [Parked(record("orders", value=b"garbage"), "topic id", "not an order")])
    (letter,) = stock_database.read(dead_letters.list_after, 0, 10)

    with pytest.raises(UnreadableRecord), stock_database.transaction() as cursor:
        dead_letters.reprocess(cursor, letter.id, stock.parse, stock.apply)

    assert stock_database.read(dead_letters.count) == 1


# ---- relay


def test_the_relay_deletes_the_acknowledged_beginning_of_a_batch_and_nothing_after_it(
    connection: Connection, orders_database: Database
) -> None:
    ids = [orders.place(orders_database, "orders", "bolt", 1) for _ in range(5)]

    with pytest.raises(Unacknowledged):
        relay_batch(connection, Producer(failing={1, 3}))

    assert waiting(orders_database) == ids[1:]


def test_the_relay_publishes_at_most_one_batch_the_oldest_first(
    connection: Connection, orders_database: Database
) -> None:
    ids = [orders.place(orders_database, "orders", "bolt", 1) for _ in range(3)]
    producer = Producer()

    assert relay_batch(connection, producer, limit=2) == 2

    assert [dict(sent.headers)["sequence"] for sent in producer.sent] == [str(each).encode() for each in ids[:2]]
    assert waiting(orders_database) == ids[2:]


# ---- lease


def test_a_lease_has_one_holder_until_it_is_released_or_expires(
    connection: Connection, orders_database: Database
) -> None:
    first, second, third = Lease("toy"), Lease("toy"), Lease("toy")

    assert first.hold(connection)
    assert not second.hold(connection)
    first.release(connection)
    assert second.hold(connection)
    assert not third.hold(connection)
    execute(orders_database, "UPDATE leases SET expires_at = UTC_TIMESTAMP(6)")
    assert third.hold(connection)


@pytest.mark.parametrize(("seconds", "named"), [(-1, False), (5, False), (60, True), (3_500, True)])
def test_a_lease_that_ends_later_than_any_leader_takes_it_for_is_named_with_its_end(
    connection: Connection, orders_database: Database, seconds: int, named: bool
) -> None:
    leader, standby = Lease("toy"), Lease("toy")
    leader.hold(connection)
    execute(orders_database, "UPDATE leases SET expires_at = UTC_TIMESTAMP(6) + INTERVAL %s SECOND", seconds)

    reason = standby.reason_of_long_wait(connection)

    assert bool(re.match(rf"the lease toy ends in ({seconds}|{seconds - 1}) s, ", reason)) == named
    assert bool(reason) == named


# ---- idempotency keys


def test_a_repeated_request_gets_the_saved_response_and_changes_nothing(orders_database: Database) -> None:
    for _ in range(2):
        with orders_database.transaction() as cursor:
            keys = IdempotencyKeys(cursor)
            if (response := keys.find(KEY)) is None:
                cursor.execute("INSERT INTO orders (product, quantity) VALUES ('bolt', 1)")
                keys.save(KEY, CREATED)

    assert response == CREATED
    assert rows(orders_database, "SELECT COUNT(*) FROM orders") == ((1,),)


def test_a_key_with_another_body_is_refused(orders_database: Database) -> None:
    with orders_database.transaction() as cursor:
        IdempotencyKeys(cursor).find(KEY)
        IdempotencyKeys(cursor).save(KEY, CREATED)

    with pytest.raises(KeyReused), orders_database.transaction() as cursor:
        IdempotencyKeys(cursor).find(KEY._replace(body_sha256=b"y" * 32))


def test_a_key_is_free_again_after_its_transaction_was_rolled_back(orders_database: Database) -> None:
    with open_transaction(orders_database) as (first, cursor):
        IdempotencyKeys(cursor).find(KEY)
        first.rollback()

    with orders_database.transaction() as cursor:
        assert IdempotencyKeys(cursor).find(KEY) is None


def test_a_key_whose_saved_row_another_transaction_holds_is_still_in_progress(orders_database: Database) -> None:
    with orders_database.transaction() as cursor:
        IdempotencyKeys(cursor).find(KEY)
        IdempotencyKeys(cursor).save(KEY, CREATED)

    with open_transaction(orders_database) as (_, first):
        assert IdempotencyKeys(first).find(KEY) == CREATED
        with pytest.raises(StillInProgress), orders_database.transaction() as cursor:
            IdempotencyKeys(cursor).find(KEY)


def sale_record(offset: int) -> Any:
    value = b'{"order_id":1,"product":"bolt","quantity":3}'
    return record("orders", offset=offset, value=value, headers=[("event_id", b"event-1"), ("sequence", b"1")])


def waiting(database: Database) -> list[int]:
    """The sequences in the outbox, which are the ids of the orders."""
    return [each for (each,) in rows(database, "SELECT sequence FROM outbox ORDER BY id")]
