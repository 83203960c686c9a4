"""The inbox on a real server: which events of a batch are new."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from operator import itemgetter

import pytest

from common.events import inbox
from common.mysql import Cursor, Database
from tests.eventually import eventually
from tests.toy.tables import execute, rows


def keep(database: Database, *ids: str) -> list[str]:
    with database.transaction() as cursor:
        return inbox.keep_new(cursor, ids, str)


def stored(database: Database) -> set[str]:
    return {each for (each,) in rows(database, "SELECT event_id FROM inbox")}


def test_new_events_are_kept_in_their_order_and_repeats_are_not(stock_database: Database) -> None:
    assert keep(stock_database, "c", "a") == ["c", "a"]

    assert keep(stock_database, "d", "a", "b", "c") == ["d", "b"]
    assert stored(stock_database) == {"a", "b", "c", "d"}


def test_of_several_events_with_one_id_in_a_batch_the_first_is_kept(stock_database: Database) -> None:
    with stock_database.transaction() as cursor:
        new = inbox.keep_new(cursor, [("b", 1), ("a", 2), ("b", 3)], itemgetter(0))

    assert new == [("b", 1), ("a", 2)]


def test_a_batch_without_events_keeps_none(stock_database: Database) -> None:
    assert keep(stock_database) == []


def test_a_batch_larger_than_one_statement_keeps_exactly_what_is_new(stock_database: Database) -> None:
    ids = [f"event-{number}" for number in range(2 * inbox.IDS_AT_ONCE + 1)]
    keep(stock_database, *ids[::3])

    new = keep(stock_database, *ids)

    assert new == [each for number, each in enumerate(ids) if number % 3]


def test_an_event_is_new_again_after_its_transaction_was_rolled_back(stock_database: Database) -> None:
    with closing(stock_database.connect()) as connection, Cursor(connection) as cursor:
        connection.begin()
        inbox.keep_new(cursor, ["a"], str)
        connection.rollback()

    assert keep(stock_database, "a") == ["a"]


@pytest.mark.parametrize(("end", "kept"), [("commit", ["c"]), ("rollback", ["b", "c"])])
def test_a_consumer_waits_for_another_that_applies_the_same_event(
    stock_url: str, stock_database: Database, end: str, kept: list[str]
) -> None:
    with closing(stock_database.connect()) as first, ThreadPoolExecutor() as pool:
        first.begin()
        with Cursor(first) as cursor:
            inbox.keep_new(cursor, ["a", "b"], str)
        second = pool.submit(lambda: keep(Database(stock_url), "b", "c"))
        eventually(lambda: waits(stock_database, "INSERT INTO inbox"))
        getattr(first, end)()

        assert second.result(timeout=10) == kept


def test_an_id_that_is_too_long_is_an_error_and_not_another_id(stock_database: Database) -> None:
    with pytest.raises(Exception, match="Data too long"):
        keep(stock_database, "x" * 65)

    assert stored(stock_database) == set()


def test_expired_ids_are_deleted_a_bounded_number_with_each_batch(stock_database: Database) -> None:
    keep(stock_database, *(f"old-{number}" for number in range(inbox.EXPIRED_MORE + 3)))
    execute(stock_database, "UPDATE inbox SET processed_at = UTC_TIMESTAMP(6) - INTERVAL 31 DAY")
    keep(stock_database, "recent")
    execute(
        stock_database, "UPDATE inbox SET processed_at = UTC_TIMESTAMP(6) - INTERVAL 29 DAY WHERE event_id = 'recent'"
    )

    assert len(stored(stock_database)) == 3  # one more than EXPIRED_MORE went with the batch of one
    keep(stock_database, "new")

    assert stored(stock_database) == {"recent", "new"}


def test_deleting_expired_ids_waits_for_nobody(stock_database: Database) -> None:
    keep(stock_database, "old-1", "old-2")
    execute(stock_database, "UPDATE inbox SET processed_at = UTC_TIMESTAMP(6) - INTERVAL 31 DAY")
    with closing(stock_database.connect()) as another:
        another.begin()
        with another.cursor() as cursor:
            cursor.execute("SELECT 1 FROM inbox WHERE event_id = 'old-1' FOR UPDATE")

        assert keep(stock_database, "new") == ["new"]
        assert stored(stock_database) == {"old-1", "new"}
        another.rollback()


def waits(database: Database, beginning: str) -> list[int]:
    """The connections whose statement with this beginning is in progress."""
    return [int(row[0]) for row in rows(database, "SHOW PROCESSLIST") if (row[7] or "").startswith(beginning)]
