"""The law of the read model: however the events come, it ends as if each had come once and in its turn.

`BalancesTable` is a stand-in for the table. The integration tests show that MySQL does the same.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from balances.messages import Balance
from balances.projection import apply, fold
from tests.balances_table import BalancesTable

EPOCH = datetime(2026, 11, 22)
SEEDED, CREATED = ["a1", "a2", "a3"], ["b1", "b2", "b3"]


def balance(account_id, held, sequence=None, creation=False):
    return Balance(account_id, Decimal(held), sequence, EPOCH + timedelta(seconds=sequence or 0), creation)


def seeded_table():
    return BalancesTable({account_id: (Decimal(1000), 0, EPOCH) for account_id in SEEDED})


def applied(batches):
    table = seeded_table()
    for batch in batches:
        apply(table, batch)
    return table.rows


def one_by_one(balances):
    """The rules, applied one event at a time."""
    rows = seeded_table().rows
    for each in balances:
        _, known_sequence, _ = rows.get(each.account_id, (None, None, None))
        if known_sequence is None:
            rows[each.account_id] = (each.balance, each.sequence or 0, each.updated_at)
        elif each.creation:
            pass
        elif each.sequence is None:
            rows[each.account_id] = (each.balance, known_sequence, each.updated_at)
        elif each.sequence > known_sequence:
            rows[each.account_id] = (each.balance, each.sequence, each.updated_at)
    return rows


@st.composite
def histories(draw):
    """What a wallet announces, record after record: accounts are created, then transfers and announcements follow."""
    records = [[balance(account_id, 0, sequence, creation=True)] for sequence, account_id in enumerate(CREATED, 1)]
    movements = st.lists(st.sampled_from(SEEDED + CREATED), min_size=1, max_size=2, unique=True)
    for sequence, account_ids in enumerate(draw(st.lists(movements, max_size=20)), 10):
        records.append([balance(each, draw(st.integers(0, 9)), sequence) for each in account_ids])
    return records


@st.composite
def deliveries(draw, records):
    """The records in any order and any number of times, but each at least once, cut into batches anywhere."""
    repeated = draw(st.lists(st.sampled_from(records), max_size=10))
    return draw(batchings(draw(st.permutations(records + repeated))))


@st.composite
def batchings(draw, records):
    cuts = sorted(draw(st.sets(st.integers(0, len(records)))) | {0, len(records)})
    pieces = [records[start:end] for start, end in pairwise(cuts)]
    return [[each for record in piece for each in record] for piece in pieces]


@given(st.data())
def test_any_batching_repetition_or_interleaving_ends_as_one_by_one_in_sequence(data):
    history = data.draw(histories())

    rows = applied(data.draw(deliveries(history)))

    assert rows == one_by_one(each for record in history for each in record)


@st.composite
def mixtures(draw):
    """Records with and without a sequence, of any kind, in any order: also what no wallet would send.

    Few accounts and few sequences, so that equal sequences, repetitions and late creations are common.
    """
    events = st.builds(
        balance,
        st.sampled_from(["a1", "b1", "b2"]),
        st.integers(0, 9),
        sequence=st.none() | st.integers(0, 5),
        creation=st.booleans(),
    )
    records = draw(st.lists(st.lists(events, min_size=1, max_size=2), max_size=12))
    return records + draw(st.lists(st.sampled_from(records), max_size=6) if records else st.just([]))


@given(st.data())
def test_any_mixture_in_any_batching_ends_as_one_by_one(data):
    mixture = data.draw(mixtures())

    rows = applied(data.draw(batchings(mixture)))

    assert rows == one_by_one(each for record in mixture for each in record)


def test_a_creation_after_an_update_of_its_batch_changes_nothing_though_its_sequence_is_higher():
    rows = applied([[balance("b1", 50, 12), balance("b1", 0, 13, creation=True)]])

    assert rows["b1"] == (Decimal(50), 12, EPOCH + timedelta(seconds=12))


def test_the_highest_sequence_wins_not_the_last_seen():
    rows = applied([[balance("a1", 900, 12), balance("a1", 950, 11)]])

    assert rows["a1"] == (Decimal(900), 12, EPOCH + timedelta(seconds=12))


def test_an_older_event_changes_nothing_in_a_later_batch_either():
    rows = applied([[balance("a1", 900, 12)], [balance("a1", 950, 11)], [balance("a1", 900, 12)]])

    assert rows["a1"] == (Decimal(900), 12, EPOCH + timedelta(seconds=12))


def test_a_creation_that_comes_late_leaves_the_balance_alone():
    rows = applied([[balance("b1", 50, 12)], [balance("b1", 0, 11, creation=True)]])

    assert rows["b1"] == (Decimal(50), 12, EPOCH + timedelta(seconds=12))


def test_a_creation_never_changes_a_balance_that_is_there_however_high_its_sequence():
    rows = applied([[balance("a1", 0, 11, creation=True)], [balance("a2", 0, creation=True)]])

    assert rows == seeded_table().rows


def test_an_event_of_wallet_core_applies_in_order_and_keeps_the_sequence():
    rows = applied([[balance("a1", 900, 12), balance("a1", 800), balance("a1", 950, 11)]])

    assert rows["a1"] == (Decimal(800), 12, EPOCH)


def test_a_batch_without_events_runs_no_statement():
    assert list(fold([])) == []


def test_five_thousand_events_of_two_accounts_are_two_rows_of_one_statement():
    table = seeded_table()

    apply(table, [balance(f"a{1 + n % 2}", n, n) for n in range(1, 5001)])

    ((_, rows),) = table.statements
    assert [(account_id, sequence) for account_id, _, sequence, _ in rows] == [("a1", 5000), ("a2", 4999)]


def test_rows_are_written_in_the_order_of_their_keys_so_that_two_consumers_cannot_deadlock():
    table = seeded_table()

    apply(table, [balance(account_id, 1, n) for n, account_id in enumerate(["a3", "b1", "a1", "a2"], 1)])

    ((_, rows),) = table.statements
    assert [account_id for account_id, *_ in rows] == ["a1", "a2", "a3", "b1"]
