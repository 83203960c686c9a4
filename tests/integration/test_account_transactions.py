"""The transfers of an account: newest first, with pagination, at the same cost however many there are."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests

from common.mysql import Cursor, Database
from tests.integration import tables
from tests.integration.explained import Explained
from tests.integration.service import Service
from tests.integration.tables import NOW
from wallet.domain import Account, Transaction
from wallet.repositories import TransactionRepository

Get = Callable[..., requests.Response]


def moved(number: int, source: str, target: str, seconds: int | None = None) -> Transaction:
    at = NOW + timedelta(seconds=number if seconds is None else seconds)
    return Transaction(f"t{number:03}", source, target, Decimal("1.50"), at)


@pytest.fixture
def get(wallet_service: Service) -> Get:
    return lambda path: requests.get(wallet_service.url + path, timeout=10)


def add(database: Database, *transactions: Transaction) -> None:
    with database.transaction() as cursor:
        for transaction in transactions:
            TransactionRepository(cursor).add(transaction)


def listed(get: Get, query: str = "", account_id: str = "a") -> tuple[list[str], str | None]:
    """(ids, cursor of the next response)."""
    body = get(f"/accounts/{account_id}/transactions{query}").json()
    return [each["id"] for each in body["transactions"]], body["next"]


def test_transfers_from_and_to_the_account_are_listed_newest_first(bank: Database, get: Get) -> None:
    add(bank, moved(1, "a", "b"), moved(3, "b", "a"), moved(2, "a", "c"), moved(4, "b", "c"))

    response = get("/accounts/a/transactions")

    assert response.status_code == 200
    assert [each["id"] for each in response.json()["transactions"]] == ["t003", "t002", "t001"]
    assert response.json()["transactions"][0] == {
        "id": "t003",
        "account_id_from": "b",
        "account_id_to": "a",
        "amount": 1.5,
        "created_at": "2026-11-22T11:42:23.123456Z",
    }
    assert response.json()["next"] is None


def test_the_pages_contain_each_transfer_once_also_when_many_have_the_same_time(bank: Database, get: Get) -> None:
    add(bank, *(moved(number, *("ab" if number % 2 else "ba"), seconds=number // 4) for number in range(10)))

    responses = [listed(get, "?limit=3")]
    while responses[-1][1]:
        responses.append(listed(get, f"?limit=3&after={responses[-1][1]}"))

    assert [identifier for ids, _ in responses for identifier in ids] == [
        f"t{number:03}" for number in range(9, -1, -1)
    ]
    assert [len(ids) for ids, _ in responses] == [3, 3, 3, 1]


def test_an_account_without_transfers_has_an_empty_page(bank: Database, get: Get) -> None:
    assert listed(get, account_id="c") == ([], None)


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("/accounts/nobody/transactions", "account nobody not found"),
        ("/accounts/a%20/transactions", "account a  not found"),  # MySQL takes 'a ' for 'a'
        ("/accounts/A/transactions", "account A not found"),
        ("/accounts/a/transactions?after=t999", "transaction t999 not found"),
        ("/accounts/a/transactions?after=t001%20", "transaction t001  not found"),
    ],
)
def test_an_unknown_account_or_cursor_is_not_found(bank: Database, get: Get, path: str, detail: str) -> None:
    add(bank, moved(1, "a", "b"))

    response = get(path)

    assert (response.status_code, response.json()["detail"]) == (404, detail)


@pytest.mark.parametrize("query", ["?limit=0", "?limit=1001", "?limit=ten", "?after=1&after=2"])
def test_a_malformed_page_is_refused(bank: Database, get: Get, query: str) -> None:
    assert get(f"/accounts/a/transactions{query}").status_code == 400


@pytest.mark.parametrize("after", [None, moved(700, "a", "b")], ids=["first", "later"])
def test_a_page_reads_a_few_rows_of_two_indexes_however_many_transfers_there_are(
    bank: Database, after: Transaction | None
) -> None:
    add(bank, *(moved(number, *("ab" if number % 2 else "ba")) for number in range(1000)))
    account = Account("a", "ana", Decimal(0), NOW)

    def read(cursor: Any) -> None:
        TransactionRepository(cursor).newest_of(account, 10, after)

    with bank.transaction() as cursor:
        explained = Explained(cursor)
        read(explained)
        before = rows_read(cursor)
        read(cursor)
        read_by_page = rows_read(cursor) - before

    assert explained.indexes == {"transactions_by_sender", "transactions_by_receiver"}
    assert read_by_page < 100  # 20 of the indexes, and those of the temporary table that merges them


def rows_read(cursor: Cursor) -> int:
    cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read%'")
    return sum(int(count) for _, count in cursor.fetchall())


def test_the_foreign_keys_have_no_index_of_their_own(bank: Database) -> None:
    names = tables.rows(bank, "SHOW INDEX FROM transactions")

    assert {row[2] for row in names} == {"PRIMARY", "transactions_by_sender", "transactions_by_receiver"}
