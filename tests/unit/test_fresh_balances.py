"""A read waits for a required sequence, a bounded time and in a bounded number of threads."""

import threading
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

import pytest

from balances.api import WAITING_THREADS, BalanceNotFound, FreshBalances, NotAppliedYet
from balances.projection import Row
from common.mysql import Database

OLD, NEW = (Row("ana", Decimal(balance), sequence, datetime(2026, 11, 22)) for balance, sequence in ((100, 7), (90, 8)))


class Rows:
    """A database whose reads return these rows; the last one again and again."""

    def __init__(self, *rows: Row | None, on_read: Callable[[], object] = lambda: None) -> None:
        self._rows = list(rows)
        self._on_read = on_read
        self.reads = 0

    def read(self, *_: Any) -> Row | None:
        self._on_read()
        row = self._rows[min(self.reads, len(self._rows) - 1)]
        self.reads += 1
        return row


def fresh(rows: Rows) -> FreshBalances:
    return FreshBalances(cast(Database, rows))


@pytest.mark.parametrize("min_sequence", [0, 6, 7])
def test_a_sequence_that_is_applied_costs_one_read(min_sequence: int) -> None:
    rows = Rows(OLD)

    assert fresh(rows).find("ana", min_sequence) == OLD
    assert rows.reads == 1


@pytest.mark.parametrize("at_first", [None, OLD])
def test_a_read_waits_until_the_sequence_is_applied(at_first: Row | None) -> None:
    assert fresh(Rows(at_first, at_first, NEW)).find("ana", 8) == NEW


def test_an_account_without_a_balance_is_not_found() -> None:
    with pytest.raises(BalanceNotFound):
        fresh(Rows(None)).find("ana")


def test_a_sequence_that_is_never_applied_is_a_problem_of_its_own_type() -> None:
    with pytest.raises(NotAppliedYet, match="sequence 8 is not applied to this account yet; retry") as refusal:
        fresh(Rows(OLD)).find("ana", 8)

    assert refusal.value.type == "/problems/not-applied-yet"


def test_one_request_more_than_may_wait_is_refused_at_once() -> None:
    all_wait, end = threading.Barrier(WAITING_THREADS + 1), threading.Event()
    in_thread = threading.local()

    def on_read() -> None:
        """Keep a request in its second read: the first one while it waits."""
        in_thread.reads = getattr(in_thread, "reads", 0) + 1
        if threading.current_thread() is not threading.main_thread() and in_thread.reads == 2:
            all_wait.wait(10)
            end.wait(10)

    balances = fresh(Rows(OLD, on_read=on_read))

    def wait() -> None:
        with pytest.raises(NotAppliedYet):
            balances.find("ana", 8)

    threads = [threading.Thread(target=wait) for _ in range(WAITING_THREADS)]
    for thread in threads:
        thread.start()
    all_wait.wait(10)
    try:
        with pytest.raises(NotAppliedYet):
            balances.find("ana", 8)
        reads = in_thread.reads
    finally:
        end.set()
        for thread in threads:
            thread.join(10)

    assert reads == 1  # it never waited
