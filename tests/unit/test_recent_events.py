"""The last events of a worker: bounded, readable in every process, and true about what became of a record."""

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balances import projection
from balances.messages import Balance, describe
from common.events.consumed import Consumed, ConsumedEvents
from common.events.outbox import Row
from common.events.publish import Unacknowledged, relay_batch
from common.events.published import PublishedEvents
from common.events.recent import LIMIT, RecentEvents
from tests.stand_ins import OutboxConnection, Producer, record
from wallet import messages

OCCURRED_AT = datetime(2026, 11, 22, 11, 42, 20)
OCCURRED_US = 1_795_347_740_000_000


def listed(recent: RecentEvents) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = json.loads(recent.as_json())
    return events


# ---- the list


def test_nothing_happened_yet_is_an_empty_list() -> None:
    assert listed(RecentEvents()) == []


def test_the_newest_is_first_and_the_oldest_are_forgotten() -> None:
    recent = RecentEvents()

    recent.add({"n": n} for n in range(LIMIT))
    recent.add({"n": n} for n in range(LIMIT, LIMIT + 5))

    assert [each["n"] for each in listed(recent)] == list(range(LIMIT + 4, 4, -1))


def test_entries_that_are_large_push_older_ones_out_of_the_page() -> None:
    recent = RecentEvents()

    recent.add({"n": n, "text": "\x00" * 2000} for n in range(LIMIT))

    numbers = [each["n"] for each in listed(recent)]
    assert 10 < len(numbers) < LIMIT
    assert numbers == list(range(LIMIT - 1, LIMIT - 1 - len(numbers), -1))


def test_what_one_process_adds_another_reads() -> None:
    recent = RecentEvents()
    child = os.fork()
    if not child:
        recent.add([{"n": 7}])
        os._exit(0)
    os.waitpid(child, 0)

    assert listed(recent) == [{"n": 7}]


# ---- what the relay adds


def row(number: int, waiting_us: int = 0, event_id: str | None = "e-1", sequence: int | None = 7) -> Row:
    value = '{"Name":"BalanceUpdated","Payload":{}}'
    return Row(number, "balances", "ana", value, sequence, event_id, "r-1", OCCURRED_AT, None, waiting_us)


def published(rows: Sequence[Row], producer: Any) -> list[dict[str, Any]]:
    recent = RecentEvents()
    connection: Any = OutboxConnection(rows)
    with suppress(Unacknowledged):
        relay_batch(connection, producer, published=PublishedEvents(recent, messages.describe))
    return listed(recent)


def test_a_published_event_has_its_place_its_name_and_its_time() -> None:
    (entry,) = published([row(10, waiting_us=60_000_000)], Producer())

    assert 60_000 <= entry.pop("acknowledged_after_ms") < 120_000
    assert entry == {
        "event_id": "e-1",
        "sequence": 7,
        "name": "BalanceUpdated",
        "key": "ana",
        "topic": "balances",
        "partition": 0,
        "offset": 0,
        "request_id": "r-1",
        "occurred_at": "2026-11-22T11:42:20.000000Z",
    }


def test_an_event_that_kafka_did_not_acknowledge_is_not_published() -> None:
    assert [each["offset"] for each in published([row(10), row(11), row(12)], Producer(failing={1}))] == [0]


def test_a_row_of_an_earlier_version_is_published_with_its_id_as_sequence() -> None:
    (entry,) = published([row(10, event_id=None, sequence=None)], Producer())

    assert (entry["event_id"], entry["sequence"]) == (None, 10)


def test_of_a_large_batch_the_relay_adds_the_last_events_alone() -> None:
    entries = published([row(number) for number in range(3 * LIMIT)], Producer())

    assert [each["offset"] for each in entries] == list(range(3 * LIMIT - 1, 2 * LIMIT - 1, -1))


# ---- what the consumer adds


def transfer(offset: int, **headers: str) -> Any:
    payload = {"account_id_from": "ana", "account_id_to": "bruno"}
    payload |= {"balance_account_id_from": 900, "balance_account_id_to": 1100}  # type: ignore[dict-item]
    value = json.dumps({"Name": "BalanceUpdated", "Payload": payload}).encode()
    pairs = [(name, text.encode()) for name, text in headers.items()]
    return record(offset=offset, key=b"ana", value=value, headers=pairs, timestamp=OCCURRED_US // 1000)


def entry_of(consumed: Consumed, committed_us: int = OCCURRED_US) -> dict[str, Any]:
    recent = RecentEvents()
    ConsumedEvents(recent, describe, projection.which_change, lambda: 0).add([consumed], committed_us)
    (entry,) = listed(recent)
    return entry


def test_a_consumed_record_has_its_place_its_accounts_and_its_time() -> None:
    headers = {"sequence": "7", "event_id": "e-1", "request_id": "r-1", "occurred_at": "2026-11-22T11:42:20Z"}

    assert entry_of(Consumed(transfer(17, **headers), "applied"), OCCURRED_US + 12_345) == {
        "topic": "balances",
        "partition": 0,
        "offset": 17,
        "key": "ana",
        "sequence": 7,
        "name": "BalanceUpdated",
        "accounts": ["ana", "bruno"],
        "event_id": "e-1",
        "applied_after_ms": 12.345,
        "outcome": "applied",
        "reason": None,
        "dead_letter": None,
        "request_id": "r-1",
    }


def test_without_the_header_the_time_is_that_of_the_record() -> None:
    assert entry_of(Consumed(transfer(17), "applied"), OCCURRED_US + 2_000)["applied_after_ms"] == 2


@pytest.mark.parametrize("occurred_at", ["", "soon", "é"])
def test_a_time_that_nobody_can_read_is_none(occurred_at: str) -> None:
    unreadable = transfer(17, occurred_at=occurred_at)

    assert entry_of(Consumed(unreadable, "parked", "reason", 3))["applied_after_ms"] is None


@pytest.mark.parametrize("timestamp", [None, -1, OCCURRED_US])
def test_a_record_without_any_time_has_none(timestamp: int | None) -> None:
    assert entry_of(Consumed(record(timestamp=timestamp), "parked", "r", 3))["applied_after_ms"] is None


@pytest.mark.parametrize("sequence", ["", "x", "-1", str(2**63), "9" * 5000])
def test_a_sequence_that_nobody_can_read_is_none(sequence: str) -> None:
    assert entry_of(Consumed(transfer(17, sequence=sequence), "parked", "reason", 3))["sequence"] is None


def test_a_record_of_any_bytes_is_shown_cut_with_its_dead_letter() -> None:
    garbage = record(value=b"\xff" * 10, key=b"\xff" * 10_000, headers=[("event_id", None)])

    entry = entry_of(Consumed(garbage, "parked", "r" * 10_000, 3))

    assert (len(entry["key"]), len(entry["reason"])) == (255, 500)
    assert (entry["name"], entry["accounts"], entry["event_id"]) == (None, [], None)
    assert (entry["outcome"], entry["dead_letter"]) == ("parked", "/dead-letters/3")


def test_the_time_of_the_commit_is_the_databases_and_no_statement_runs_after_it() -> None:
    readings = iter([OCCURRED_US])
    committed = ConsumedEvents(RecentEvents(), describe, projection.which_change, partial(next, readings)).stopwatch()

    assert OCCURRED_US <= committed() <= committed() < OCCURRED_US + 60_000_000


# ---- applied or stale


class Sequences:
    """A cursor on a table that has only sequences."""

    def __init__(self, known: dict[str, int]) -> None:
        self.known = known
        self.statements: list[str] = []

    def execute(self, statement: str, account_ids: Sequence[str]) -> None:
        self.statements.append(statement)
        self._found = [(each, self.known[each]) for each in account_ids if each in self.known]

    def fetchall(self) -> list[tuple[str, int]]:
        return self._found


def balance(account_id: str, sequence: int | None, creation: bool = False) -> Balance:
    return Balance(account_id, Decimal(0), sequence, OCCURRED_AT, creation)


def changes(known: dict[str, int], earlier: Sequence[Balance], last: Sequence[Sequence[Balance]]) -> list[bool]:
    cursor: Any = Sequences(known)
    found = projection.which_change(cursor, earlier, last)
    assert len(cursor.statements) <= 1
    return found


def test_a_record_is_stale_if_the_stored_sequence_is_as_high() -> None:
    last = [[balance("ana", 6)], [balance("ana", 7)], [balance("ana", 8)], [balance("ana", 8)]]

    assert changes({"ana": 7}, [], last) == [False, False, True, False]


def test_a_record_that_is_new_for_one_of_its_accounts_is_applied() -> None:
    assert changes({"ana": 9, "bruno": 7}, [], [[balance("ana", 8), balance("bruno", 8)]]) == [True]
    assert changes({"ana": 9, "bruno": 8}, [], [[balance("ana", 8), balance("bruno", 8)]]) == [False]


def test_a_creation_is_applied_only_if_the_account_is_unknown() -> None:
    last = [[balance("ana", 9, creation=True)], [balance("zoe", 3, creation=True)], [balance("zoe", 3, creation=True)]]

    assert changes({"ana": 7}, [], last) == [False, True, False]


def test_a_record_without_a_sequence_is_always_applied() -> None:
    assert changes({"ana": 7}, [], [[balance("ana", None)], [balance("ana", 7)]]) == [True, False]


def test_an_earlier_record_of_the_same_batch_makes_a_later_one_stale() -> None:
    earlier = [balance("ana", 8), balance("other", 99)]

    assert changes({"ana": 7}, earlier, [[balance("ana", 8)], [balance("ana", 9)]]) == [False, True]


def test_no_statement_runs_where_no_record_can_be_read() -> None:
    cursor: Any = Sequences({})

    assert projection.which_change(cursor, [], [[], []]) == [False, False]
    assert cursor.statements == []


@given(
    st.dictionaries(st.sampled_from("abc"), st.integers(0, 5)),
    st.lists(
        st.lists(st.builds(balance, st.sampled_from("abc"), st.none() | st.integers(0, 6), st.booleans()), max_size=2),
        max_size=8,
    ),
    st.integers(0, 8),
)
def test_the_outcome_of_a_record_is_the_same_however_the_batch_is_cut(
    known: dict[str, int], records: list[list[Balance]], cut: int
) -> None:
    """One record after the other: each reads the rows that those before it have left."""
    rows, one_by_one = dict(known), []
    for balances in records:
        one_by_one += changes(rows, [], [balances])
        for each in balances:
            stored = rows.get(each.account_id)
            if stored is None or not each.creation:
                rows[each.account_id] = max(stored or 0, each.sequence or 0)

    earlier = [each for balances in records[:cut] for each in balances]

    assert changes(known, earlier, records[cut:]) == one_by_one[cut:]
