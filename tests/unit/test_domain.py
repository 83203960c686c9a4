"""The rules of a wallet: what is refused, what moves, what is announced."""

import re
from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet.domain import (
    MAX_BALANCE,
    Account,
    AccountCreated,
    BalanceAnnounced,
    BalanceLimitExceeded,
    BalanceUpdated,
    Client,
    ClocksDiffer,
    InsufficientFunds,
    InvalidAmount,
    InvalidClient,
    SameAccount,
    SequenceFromTheFuture,
    Transaction,
    TransactionCreated,
    announce,
    check_amount,
    new_client,
    open_account,
    transfer,
)

NOW = datetime(2026, 11, 22, 11, 42, 20, 123456)
CLOCK = 1_795_347_740_123_456  # the same time by the database's clock
CENT = Decimal("0.01")

amounts_in_cents = st.decimals(min_value=CENT, max_value=MAX_BALANCE, places=2)
balances = st.decimals(min_value=0, max_value=MAX_BALANCE, places=2)


def account(account_id, balance):
    return Account(account_id, "a client", Decimal(balance), NOW)


# ---- clients and accounts


def test_a_client_has_what_it_was_made_with():
    client = new_client("c1", "Ana Souza", "ana@example.com", NOW)

    assert client == Client("c1", "Ana Souza", "ana@example.com", NOW)


@pytest.mark.parametrize("name", ["", " ", "\t\n", "x" * 256])
def test_a_client_without_a_name_that_fits_is_refused(name):
    with pytest.raises(InvalidClient, match="name must have 1 to 255 characters"):
        new_client("c1", name, "ana@example.com", NOW)


@pytest.mark.parametrize("email", ["", " ", "x" * 256])
def test_a_client_without_an_e_mail_that_fits_is_refused(email):
    with pytest.raises(InvalidClient, match="email must have 1 to 255 characters"):
        new_client("c1", "Ana", email, NOW)


def test_255_characters_fit_whatever_bytes_they_take():
    client = new_client("c1", "ã" * 255, "😀" * 255, NOW)

    assert (len(client.name), len(client.email)) == (255, 255)


def test_an_account_opens_empty_and_is_announced():
    client = Client("c1", "Ana", "ana@example.com", NOW)

    opened, events = open_account("a1", client, CLOCK, NOW)

    assert opened == Account("a1", "c1", Decimal(0), NOW, CLOCK + 1)
    assert events == [AccountCreated(CLOCK + 1, "a1", "c1", Decimal(0))]


# ---- transfers


def test_a_transfer_moves_the_amount_to_the_cent():
    source, target = account("a1", "1000.00"), account("a2", "0.10")

    transfer("t1", source, target, Decimal("100.01"), CLOCK, NOW)

    assert (source.balance, target.balance) == (Decimal("899.99"), Decimal("100.11"))


def test_a_transfer_returns_the_transaction_and_an_event_with_both_new_balances():
    source, target = account("a1", 1000), account("a2", 1000)

    transaction, events = transfer("t1", source, target, Decimal(100), CLOCK, NOW)

    assert transaction == Transaction("t1", "a1", "a2", Decimal(100), NOW)
    assert events == [
        BalanceUpdated(CLOCK + 1, "a1", "a2", Decimal(900), Decimal(1100)),
        TransactionCreated(CLOCK + 1, "t1", "a1", "a2", Decimal(100)),
    ]


def test_a_transfer_can_take_the_full_balance():
    source, target = account("a1", "10.50"), account("a2", 0)

    transfer("t1", source, target, Decimal("10.50"), CLOCK, NOW)

    assert (source.balance, target.balance) == (0, Decimal("10.50"))


def test_the_receiver_may_hold_all_that_the_column_holds():
    source, target = account("a1", 1), account("a2", MAX_BALANCE - CENT)

    transfer("t1", source, target, CENT, CLOCK, NOW)

    assert target.balance == MAX_BALANCE


REFUSALS = {
    "beyond the balance": ("1000.00", "0", "1000.01", InsufficientFunds),
    "from an empty account": ("0", "0", "0.01", InsufficientFunds),
    "beyond what the receiver can hold": ("1000.00", MAX_BALANCE, "0.01", BalanceLimitExceeded),
    "of nothing": ("1000.00", "0", "0", InvalidAmount),
    "of less than nothing": ("1000.00", "0", "-1", InvalidAmount),
    "more than 2 decimals": ("1000.00", "0", "0.001", InvalidAmount),
    "of more than 13 digits": ("1000.00", "0", "10000000000000", InvalidAmount),
}


@pytest.mark.parametrize(("balance", "target_balance", "amount", "refusal"), REFUSALS.values(), ids=REFUSALS)
def test_a_transfer_is_refused_and_moves_nothing(balance, target_balance, amount, refusal):
    source, target = account("a1", balance), account("a2", target_balance)

    with pytest.raises(refusal):
        transfer("t1", source, target, Decimal(amount), CLOCK, NOW)

    assert (source.balance, target.balance) == (Decimal(balance), Decimal(target_balance))


def test_a_transfer_to_the_same_account_is_refused():
    source = account("a1", 1000)

    with pytest.raises(SameAccount, match="account a1 cannot transfer to itself"):
        transfer("t1", source, source, Decimal(1), CLOCK, NOW)

    assert source.balance == 1000


def test_a_refusal_for_want_of_funds_names_the_account_and_both_amounts_shortly():
    source, target = account("a1", "10.00"), account("a2", 0)

    with pytest.raises(InsufficientFunds) as refusal:
        transfer("t1", source, target, Decimal("11." + "0" * 60_000), CLOCK, NOW)

    assert str(refusal.value) == "account a1 holds 10.00, less than 11.00"


@given(held=balances, receiver_held=balances, amount=amounts_in_cents)
def test_money_is_conserved_never_negative_and_never_beyond_the_column(held, receiver_held, amount):
    source, target = account("a1", held), account("a2", receiver_held)

    try:
        transfer("t1", source, target, amount, CLOCK, NOW)
    except (InsufficientFunds, BalanceLimitExceeded):
        assert (source.balance, target.balance) == (held, receiver_held)
    else:
        assert (source.balance, target.balance) == (held - amount, receiver_held + amount)

    assert source.balance + target.balance == held + receiver_held
    assert 0 <= source.balance <= MAX_BALANCE
    assert 0 <= target.balance <= MAX_BALANCE


@given(st.data())
def test_any_run_of_transfers_keeps_the_sum_and_announces_what_it_leaves(data):
    accounts = [account(str(number), data.draw(balances)) for number in range(4)]
    total = sum(each.balance for each in accounts)
    pairs = st.permutations(accounts).map(lambda shuffled: shuffled[:2])

    announced = {}
    for source, target in data.draw(st.lists(pairs, max_size=20)):
        amount = data.draw(st.decimals(min_value=CENT, max_value=max(CENT, source.balance), places=2))
        try:
            _, (updated, _) = transfer("t", source, target, amount, CLOCK, NOW)
        except (InsufficientFunds, BalanceLimitExceeded):
            continue
        announced[updated.account_id_from] = updated.balance_account_id_from
        announced[updated.account_id_to] = updated.balance_account_id_to

    assert sum(each.balance for each in accounts) == total
    assert all(0 <= each.balance <= MAX_BALANCE for each in accounts)
    assert announced == {each.id: each.balance for each in accounts if each.id in announced}


# ---- the sequence


@pytest.mark.parametrize(
    ("source_sequence", "target_sequence", "expected"),
    [(0, 0, CLOCK + 1), (CLOCK + 5, 0, CLOCK + 6), (0, CLOCK + 5, CLOCK + 6), (CLOCK - 1, CLOCK - 2, CLOCK + 1)],
    ids=["new accounts", "the payer is ahead", "the receiver is ahead", "both are behind"],
)
def test_the_sequence_of_a_transfer_is_higher_than_the_clock_and_than_all_before_it(
    source_sequence, target_sequence, expected
):
    source, target = account("a1", 10), account("a2", 0)
    source.sequence, target.sequence = source_sequence, target_sequence

    _, events = transfer("t1", source, target, Decimal(1), CLOCK, NOW)

    assert (source.sequence, target.sequence) == (expected, expected)
    assert [event.sequence for event in events] == [expected, expected]


def test_the_sequence_grows_though_the_clock_goes_back():
    source, target = account("a1", 10), account("a2", 0)
    minute = 60_000_000

    sequences = [transfer("t", source, target, CENT, CLOCK - n * minute, NOW)[1][0].sequence for n in range(4)]

    assert sequences == [CLOCK + 1, CLOCK + 2, CLOCK + 3, CLOCK + 4]


def test_an_announcement_is_newer_than_every_event_of_its_accounts():
    accounts = [account("a1", 10), account("a2", 0)]
    accounts[1].sequence = CLOCK + 7

    events = announce(accounts, CLOCK, NOW)

    assert events == [BalanceAnnounced(CLOCK + 8, "a1", Decimal(10)), BalanceAnnounced(CLOCK + 8, "a2", Decimal(0))]
    assert [each.sequence for each in accounts] == [CLOCK + 8, CLOCK + 8]


@pytest.mark.parametrize("seconds", [-3 * 86_400, -301, 301, 3 * 86_400])
def test_a_transfer_is_refused_while_the_clocks_of_service_and_database_differ(seconds):
    source, target = account("a1", 10), account("a2", 0)

    with pytest.raises(ClocksDiffer, match=f"{abs(seconds)} s {'ahead of' if seconds > 0 else 'behind'}"):
        transfer("t1", source, target, Decimal(1), CLOCK + seconds * 1_000_000, NOW)

    assert (source.balance, source.sequence) == (10, 0)


def test_a_sequence_ahead_of_the_clock_is_refused_with_the_next_step():
    source, target = account("a1", 10), account("a2", 0)
    target.sequence = CLOCK + 86_400_000_000

    with pytest.raises(SequenceFromTheFuture, match=r"account a2 .*reset-sequences"):
        transfer("t1", source, target, Decimal(1), CLOCK, NOW)

    assert source.balance == 10


# ---- amounts


@given(amounts_in_cents)
def test_every_number_of_cents_within_the_column_is_an_amount(amount):
    check_amount(amount)


@pytest.mark.parametrize("text", ["1e2", "0.10", "1E-2", "100.000", "1." + "0" * 60_000, "9999999999999.99"])
def test_how_an_amount_is_written_does_not_matter(text):
    check_amount(Decimal(text))


WRONG_AMOUNTS = {
    "0": "greater than zero",
    "-0": "greater than zero",
    "0e400000": "greater than zero",
    "-0.01": "greater than zero",
    "-1e400000": "greater than zero",
    "-1e-400000": "greater than zero",
    "0.001": "more than 2 decimals",
    "1.005": "more than 2 decimals",
    "9999999999999.991": "more than 2 decimals",
    "1e-400000": "more than 2 decimals",
    "1e-2000000": "more than 2 decimals",  # so small that a remainder of it would be rounded to 0
    "10000000000000": "more than 13 digits",
    "1e13": "more than 13 digits",
    "1e400000": "more than 13 digits",
}


@pytest.mark.timeout(5)  # judged at once, whatever its size
@pytest.mark.parametrize(("text", "reason"), WRONG_AMOUNTS.items())
def test_an_amount_with_a_fraction_of_a_cent_or_beyond_the_column_is_refused(text, reason):
    with pytest.raises(InvalidAmount, match=reason):
        check_amount(Decimal(text))


@pytest.mark.timeout(5)
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("9" * 60_000, "more than 13 digits"),
        ("1" + "0" * 60_000 + ".01", "more than 13 digits"),
        ("0." + "0" * 60_000 + "1", "more than 2 decimals"),
        ("1." + "0" * 60_000 + "1", "more than 2 decimals"),
        ("0.01" + "9" * 60_000, "more than 2 decimals"),
    ],
    ids=["60,000 nines", "60,000 zeros before the point", "a tiny one", "a long tail", "a tail of nines"],
)
def test_an_amount_of_sixty_thousand_digits_is_refused(text, reason):
    with pytest.raises(InvalidAmount, match=reason):
        check_amount(Decimal(text))


@given(sign=st.sampled_from((0, 1)), digits=st.lists(st.integers(0, 9), max_size=40), exponent=st.integers(-40, 40))
def test_any_number_is_an_amount_or_refused_and_nothing_else(sign, digits, exponent):
    number = Decimal((sign, digits, exponent))
    is_amount = number > 0 and re.fullmatch(r"0*\d{1,13}(\.\d{0,2}0*)?", f"{number:f}")

    if is_amount:
        check_amount(number)
    else:
        with pytest.raises(InvalidAmount):
            check_amount(number)
