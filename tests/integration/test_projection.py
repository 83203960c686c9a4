"""The read model's statements and the stored offsets, on a real server."""

import random
from datetime import datetime
from decimal import Decimal

import pytest

from balances import projection
from balances.messages import Balance
from common.events import offsets
from common.events.offsets import Change, OffsetMoved, Partition, Start, StoredOffset
from tests.balances_table import BalancesTable
from tests.integration.explained import Explained
from tests.integration.tables import execute, rows, value

NOW = datetime(2026, 11, 22, 11, 42, 20, 123456)
FIRST, SECOND = Partition("balances", 0), Partition("balances", 1)


def balance(account_id, amount, sequence=None, creation=False):
    return Balance(account_id, Decimal(amount), sequence, NOW, creation)


def apply(database, *balances):
    with database.transaction() as cursor:
        projection.apply(cursor, balances)


def model(database):
    """{account id: (balance, sequence, updated at)}."""
    return {row[0]: row[1:] for row in rows(database, "SELECT account_id, balance, sequence, updated_at FROM balances")}


# ---- the projection


def test_what_was_applied_is_found(balances_database):
    apply(balances_database, balance("ana", "899.50", 7))

    assert balances_database.read(projection.find, "ana") == ("ana", Decimal("899.50"), 7, NOW)


@pytest.mark.parametrize("near", ["01 ", " 01", "1", ""])
def test_an_id_that_is_nearly_right_is_not_found(balances_database, near):
    apply(balances_database, balance("01", 1))

    assert balances_database.read(projection.find, near) is None


def test_ids_that_differ_only_in_case_or_accent_are_two_accounts(balances_database):
    apply(balances_database, balance("ana", 1, 1), balance("Ana", 2, 1), balance("aná", 3, 1))

    assert {account_id: amount for account_id, (amount, *_) in model(balances_database).items()} == {
        "ana": 1,
        "Ana": 2,
        "aná": 3,
    }


def test_pages_follow_the_bytes_of_the_ids(balances_database):
    apply(balances_database, *(balance(account_id, 1, 1) for account_id in ("b", "B", "é", "a")))

    first = balances_database.read(projection.list_after, "", 2)
    rest = balances_database.read(projection.list_after, first[-1].account_id, 10)

    assert [row.account_id for row in first + rest] == ["B", "a", "b", "é"]


@pytest.mark.parametrize("query", [(projection.find, "ana"), (projection.list_after, "ana", 100)], ids=["find", "list"])
def test_a_small_table_too_is_read_by_its_key(balances_database, query):
    apply(balances_database, *(balance(account_id, 1, 1) for account_id in ("ana", "bruno", "carla")))
    function, *arguments = query

    with balances_database.transaction() as cursor:
        explained = Explained(cursor)
        function(explained, *arguments)

    assert explained.indexes == {"PRIMARY"}


@pytest.mark.parametrize("seed", range(20))
def test_mysql_does_what_the_stand_in_of_the_law_does(balances_database, seed):
    chance, table = random.Random(seed), BalancesTable()

    for _ in range(10):
        batch = [
            balance(
                chance.choice("abc"),
                chance.randrange(100),
                sequence=chance.choice([None, *range(1, 30)]),
                creation=chance.random() < 0.2,
            )
            for _ in range(chance.randrange(1, 8))
        ]
        apply(balances_database, *batch)
        projection.apply(table, batch)

        assert model(balances_database) == table.rows


# ---- the stored offsets


def store(database, partition, offset, topic_id="T1"):
    with database.transaction() as cursor:
        offsets.replace(cursor, {partition: Change(None, topic_id, Start(offset, "first read"))})


def advance(cursor, believed, to):
    offsets.advance(cursor, {FIRST: (believed, believed._replace(next_offset=to))})


def test_an_offset_is_read_as_it_was_stored(balances_database):
    store(balances_database, FIRST, 5)
    store(balances_database, Partition("another topic", 0), 7)

    assert balances_database.read(offsets.read_all, ["balances"]) == {FIRST: StoredOffset("T1", 5)}


def test_an_offset_advances_from_where_it_is(balances_database):
    store(balances_database, FIRST, 5)

    with balances_database.transaction() as cursor:
        advance(cursor, StoredOffset("T1", 5), 9)

    assert value(balances_database, "SELECT next_offset FROM consumer_offsets") == 9


def test_an_offset_of_a_broker_without_topic_ids_advances(balances_database):
    store(balances_database, FIRST, 5, topic_id="")

    with balances_database.transaction() as cursor:
        advance(cursor, StoredOffset("", 5), 9)

    assert balances_database.read(offsets.read_all, ["balances"]) == {FIRST: StoredOffset("", 9)}


@pytest.mark.parametrize(
    "believed",
    [StoredOffset("T1", 4), StoredOffset("T1", 6), StoredOffset("T2", 5)],
    ids=["behind", "ahead", "another topic"],
)
def test_a_consumer_that_believes_another_offset_advances_nothing(balances_database, believed):
    store(balances_database, FIRST, 5)

    with pytest.raises(OffsetMoved), balances_database.transaction() as cursor:
        advance(cursor, believed, 9)

    assert value(balances_database, "SELECT next_offset FROM consumer_offsets") == 5


def test_the_offsets_of_five_thousand_partitions_are_stored_and_moved_as_a_unit(balances_database):
    partitions = [Partition("t" * 249, number) for number in range(5_000)]
    first = StoredOffset("00000000-0000-4000-8000-000000000001", 0)
    start = Start(0, "the log does not begin at 0 and nothing of it was read", data_loss=True)
    with balances_database.transaction() as cursor:
        offsets.replace(cursor, {partition: Change(None, first.topic_id, start) for partition in partitions})
    with balances_database.transaction() as cursor:
        offsets.advance(cursor, dict.fromkeys(partitions, (first, first._replace(next_offset=7))))

    last = first._replace(next_offset=9)
    moves = {partition: (first._replace(next_offset=7), last) for partition in partitions}
    moves[partitions[4_321]] = (first, last)  # one of them is not there
    with pytest.raises(OffsetMoved), balances_database.transaction() as cursor:
        offsets.advance(cursor, moves)

    assert balances_database.read(offsets.read_all, ["t" * 249]) == dict.fromkeys(
        partitions, first._replace(next_offset=7)
    )
    assert value(balances_database, "SELECT COUNT(history_gone_at) FROM consumer_offsets") == 5_000


def test_of_two_that_store_a_first_offset_one_is_refused(balances_database):
    store(balances_database, FIRST, 5)

    with pytest.raises(OffsetMoved):
        store(balances_database, FIRST, 6)

    assert value(balances_database, "SELECT next_offset FROM consumer_offsets") == 5


def test_a_data_loss_is_reported_until_it_is_reconciled(balances_database):
    store(balances_database, FIRST, 5)
    before = value(balances_database, "SELECT UTC_TIMESTAMP(6)")
    with balances_database.transaction() as cursor:
        start = Start(7, "records were removed before they were read", data_loss=True)
        offsets.replace(cursor, {FIRST: Change(StoredOffset("T1", 5), "T1", start)})
        advance(cursor, StoredOffset("T1", 7), 8)

    with balances_database.transaction() as cursor:
        offsets.mark_reconciled(cursor, before)  # what was found consistent before does not cover it
        assert offsets.announce_required(cursor)
        cursor.execute("SELECT UTC_TIMESTAMP(6)")
        offsets.mark_reconciled(cursor, cursor.fetchone()[0])
        assert not offsets.announce_required(cursor)


def test_a_data_loss_noticed_by_a_clock_that_was_ahead_can_be_reconciled(balances_database):
    store(balances_database, FIRST, 5)
    execute(balances_database, "UPDATE consumer_offsets SET history_gone_at = UTC_TIMESTAMP(6) + INTERVAL 3 DAY")

    with balances_database.transaction() as cursor:
        cursor.execute("SELECT UTC_TIMESTAMP(6)")
        offsets.mark_reconciled(cursor, cursor.fetchone()[0])
        assert not offsets.announce_required(cursor)


def test_the_stale_balances_of_a_large_batch_are_counted_in_all_its_parts(balances_database):
    known = [balance(f"account {number:06} {'x' * 200}", 1, 50) for number in range(10_000)]
    apply(balances_database, *known)

    with balances_database.transaction() as cursor:
        stale = projection.apply(cursor, [*known[:9_000], balance("new", 1, 60)])

    assert stale == 9_000
