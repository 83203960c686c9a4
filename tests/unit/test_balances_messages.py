"""What Balances reads of a Kafka record, and what it cannot read."""

import json
import time
from datetime import datetime
from decimal import Decimal
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import balances.messages
from balances.messages import Balance
from common.events.dead_letters import UnreadableRecord
from tests.events import balance_announced, balance_updated

HAPPENED = datetime(2026, 11, 22, 11, 42, 20, 123456)
HEADERS = [("sequence", b"1795347740123456"), ("occurred_at", b"2026-11-22T11:42:20.123456Z"), ("request_id", b"r-1")]
RECORDED_MS = 1_795_347_740_987
DAY = 86_400


def parse(given):
    return balances.messages.parse(given, clock=lambda: int(time.time() * 1_000_000))


def record(value, headers=HEADERS, timestamp=RECORDED_MS):
    return SimpleNamespace(value=value, headers=headers, timestamp=timestamp)


# ---- what is read


def test_a_transfer_has_two_balances():
    read = parse(record(balance_updated()))

    assert read == (
        Balance("a1", Decimal(900), 1795347740123456, HAPPENED),
        Balance("a2", Decimal(1100), 1795347740123456, HAPPENED),
    )


def test_a_new_account_has_a_balance_that_is_only_inserted():
    value = b'{"Name":"AccountCreated","Payload":{"account_id":"a1","client_id":"c1","balance":0}}'

    read = parse(record(value))

    assert read == (Balance("a1", Decimal(0), 1795347740123456, HAPPENED, creation=True),)


def test_an_announcement_has_one_balance():
    read = parse(record(balance_announced(balance="12.34")))

    assert read == (Balance("a1", Decimal("12.34"), 1795347740123456, HAPPENED),)


def test_events_of_wallet_core_have_no_sequence_and_the_time_of_their_record():
    sent = parse(record(balance_updated(), headers=[]))

    assert [each.sequence for each in sent] == [None, None]
    assert {each.updated_at for each in sent} == {datetime(2026, 11, 22, 11, 42, 20, 987000)}


@pytest.mark.parametrize(
    ("written", "held"),
    [
        ("1166.5700000000002", "1166.57"),
        ("1100.1499999999999", "1100.15"),
        ("2.842170943040401e-14", "0"),
        ("0.005", "0.01"),
    ],
)
def test_floats_of_wallet_core_are_rounded_to_the_cent_as_its_column_does(written, held):
    (balance,) = parse(record(balance_announced(balance=written), headers=[]))

    assert balance.balance == Decimal(held)


@pytest.mark.parametrize("written", ["9999999999999.999", "1e13", "1e400000"])
def test_what_is_too_large_after_the_rounding_is_unreadable(written):
    with pytest.raises(UnreadableRecord):
        parse(record(balance_announced(balance=written), headers=[]))


def test_unknown_fields_white_space_and_other_headers_are_of_no_interest():
    value = b'\n{ "Payload" : {"balance": 1, "account_id": "a1", "x": {}}, "Name": "BalanceAnnounced", "y": [1] }'

    (balance,) = parse(record(value, headers=[*HEADERS, ("traceparent", b"\xff\xfe"), ("empty", None)]))

    assert (balance.account_id, balance.balance) == ("a1", 1)


BALANCES = ["0", "-0", "0.1", "0.10", "99.5", "1e2", "100.000", "9999999999999.99", "-9999999999999.99", "0e400000"]


@pytest.mark.parametrize("text", [*BALANCES, "1." + "0" * 60_000], ids=[*BALANCES, "60,000 zeros"])
def test_a_balance_is_read_exactly_however_it_is_written(text):
    (balance,) = parse(record(balance_announced(balance=text)))

    assert balance.balance == Decimal(text)


@given(st.decimals(min_value=Decimal("-9999999999999.99"), max_value=Decimal("9999999999999.99"), places=2))
def test_every_balance_that_the_column_holds_is_read_exactly(balance):
    (read,) = parse(record(balance_announced(balance=str(balance))))

    assert read.balance == balance


@pytest.mark.parametrize("account_id", ["a", "x" * 255, "ã" * 255, "😀", "a b", " a", "'; DROP TABLE balances; --"])
def test_an_account_id_may_be_any_printable_text(account_id):
    (balance,) = parse(record(balance_announced(account_id)))

    assert balance.account_id == account_id


@pytest.mark.parametrize(
    ("header", "moment"),
    [
        (b"2026-11-22T11:42:20.123456Z", HAPPENED),
        (b"2026-11-22T08:42:20.123456-03:00", HAPPENED),
        (b"2026-11-22T11:42:20.123456", HAPPENED),
        (b"2026-11-22T11:42:20Z", datetime(2026, 11, 22, 11, 42, 20)),
    ],
)
def test_the_time_is_when_it_happened_in_the_wallet_in_utc(header, moment):
    (balance,) = parse(record(balance_announced(), headers=[("occurred_at", header)]))

    assert balance.updated_at == moment


@pytest.mark.parametrize(
    ("timestamp", "moment"),
    [(0, datetime(1970, 1, 1)), (253_402_300_799_999, datetime(9999, 12, 31, 23, 59, 59, 999000))],
)
def test_a_record_of_the_very_first_or_last_millisecond_has_a_date(timestamp, moment):
    (balance,) = parse(record(balance_announced(), headers=[], timestamp=timestamp))

    assert balance.updated_at == moment


@pytest.mark.parametrize("ahead_seconds", [-10 * 365 * DAY, 0, DAY - 60])
def test_a_sequence_up_to_a_day_ahead_of_the_clock_is_read(ahead_seconds):
    sequence = int((time.time() + ahead_seconds) * 1_000_000)

    (balance,) = parse(record(balance_announced(), headers=[("sequence", b"%d" % sequence)]))

    assert balance.sequence == sequence


# ---- what is not


UNREADABLE = {
    "nothing at all (a tombstone)": None,
    "an empty value": b"",
    "no JSON": b"garbage",
    "bytes that are not UTF-8": b'{"Name":"\xff"}',
    "half a message": balance_updated()[:-1],
    "more than a message": balance_updated() + b"{}",
    "not an object": b"[]",
    "deep nesting": b"[" * 100_000,
    "a name nobody knows": b'{"Name":"TransactionCreated","Payload":{}}',
    "no name": b'{"Payload":{"account_id":"a1","balance":1}}',
    "no payload": b'{"Name":"BalanceUpdated"}',
    "a payload of null": b'{"Name":"BalanceUpdated","Payload":null}',
    "a missing balance": b'{"Name":"BalanceAnnounced","Payload":{"account_id":"a1"}}',
    "another event's payload": b'{"Name":"BalanceUpdated","Payload":{"account_id":"a1","balance":1}}',
    "an id that is a number": b'{"Name":"BalanceAnnounced","Payload":{"account_id":1,"balance":1}}',
    "half a surrogate pair": b'{"Name":"BalanceAnnounced","Payload":{"account_id":"\\ud800","balance":1}}',
    "an id of no characters": balance_announced(""),
    "an id of 256 characters": balance_announced("x" * 256),
    "an id that ends in a space": balance_announced("a1 "),
    "an id with a control character": balance_announced("a\x00b"),
    "an id with a line end": balance_announced("a\n"),
    "the receiver's id too long": balance_updated(account_id_to="x" * 256),
    "the receiver's balance too large": balance_updated(balance_account_id_to=10**13),
}


@pytest.mark.parametrize("value", UNREADABLE.values(), ids=UNREADABLE)
def test_a_value_that_is_no_message_is_unreadable(value):
    with pytest.raises(UnreadableRecord):
        parse(record(value))


TOO_LARGE = ["10000000000000", "-10000000000000", "1e13", "1e400000", "-1e400000", "1e99999999999999999999"]
TOO_FINE = ["0.001", "1.005", "9999999999999.991", "1e-400000", "1e-2000000"]
NO_NUMBER = ["NaN", "Infinity", "null", "true", "[]", "{}", "0x10"]
NO_NUMBER_AS_TEXT = ['""', '"much"', '"NaN"', '"sNaN"', '"Infinity"', '"-Infinity"']


@pytest.mark.timeout(5)  # judged at once, whatever its size
@pytest.mark.parametrize("text", [*TOO_LARGE, *TOO_FINE, *NO_NUMBER, *NO_NUMBER_AS_TEXT])
def test_a_balance_that_the_column_cannot_hold_is_unreadable(text):
    with pytest.raises(UnreadableRecord):
        parse(record(balance_announced(balance=text)))


@pytest.mark.timeout(5)
@pytest.mark.parametrize("text", ["9" * 60_000, "0." + "0" * 60_000 + "1", "1.00" + "9" * 60_000], ids=len)
def test_a_balance_of_sixty_thousand_digits_is_unreadable(text):
    with pytest.raises(UnreadableRecord):
        parse(record(balance_announced(balance=text)))


@pytest.mark.parametrize(
    "header", [b"", b"-1", b"+1", b" 1", b"1.0", b"1e3", b"x", b"1_000", b"\xd9\xa1", b"\xff", b"9" * 20, b"9" * 5000]
)
def test_a_malformed_sequence_is_unreadable(header):
    with pytest.raises(UnreadableRecord, match="the sequence is not a decimal number"):
        parse(record(balance_updated(), headers=[("sequence", header)]))


@pytest.mark.parametrize("ahead_seconds", [DAY + 60, 10 * 365 * DAY])
def test_a_sequence_more_than_a_day_ahead_of_the_clock_is_unreadable_for_it_would_freeze_its_account(ahead_seconds):
    sequence = int((time.time() + ahead_seconds) * 1_000_000)

    with pytest.raises(UnreadableRecord, match="more than a day ahead of the database's clock"):
        parse(record(balance_updated(), headers=[("sequence", b"%d" % sequence)]))


NO_DATES = b"yesterday 2026-13-01T00:00:00Z 2026-02-30T00:00:00Z 10000-01-01T00:00:00Z 1795347740 \xff".split()
AS_LONG_AS_OURS = b"2026-11-22T11:42:20+010000Z 2026-11-22T11:42:20.123456X".split()  # two zones; no zone
BEYOND_THE_CALENDAR = [b"9999-12-31T23:59:59-01:00", b"0001-01-01T00:00:00+01:00"]


@pytest.mark.parametrize("header", [b"", *NO_DATES, *AS_LONG_AS_OURS, *BEYOND_THE_CALENDAR])
def test_a_malformed_date_is_unreadable(header):
    with pytest.raises(UnreadableRecord, match="occurred_at is not a date"):
        parse(record(balance_updated(), headers=[("occurred_at", header)]))


@pytest.mark.parametrize("timestamp", [None, -1, 253_402_300_800_000, 2**63 - 1])
def test_without_occurred_at_a_record_without_a_date_is_unreadable(timestamp):
    with pytest.raises(UnreadableRecord, match="neither occurred_at nor the record's timestamp is a date"):
        parse(record(balance_updated(), headers=[], timestamp=timestamp))


wild = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers(), max_size=2)
numbers = st.decimals().map(str) | st.sampled_from(["1e400000", "0e400000", "9" * 5000])
messages = st.builds(
    lambda name, payload: json.dumps({"Name": name, "Payload": payload}).encode(),
    st.sampled_from(["BalanceUpdated", "AccountCreated", "BalanceAnnounced"]),
    st.fixed_dictionaries(
        {
            "account_id": st.text(min_size=1) | wild,
            "account_id_from": st.text(min_size=1) | wild,
            "account_id_to": st.text(min_size=1) | wild,
            "balance": numbers | wild,
            "balance_account_id_from": numbers | wild,
            "balance_account_id_to": numbers | wild,
        }
    ),
)


@given(
    value=st.none() | st.binary() | messages,
    headers=st.lists(st.tuples(st.sampled_from(["sequence", "occurred_at"]), st.none() | st.binary(max_size=30))),
    timestamp=st.none() | st.integers(-(2**63), 2**63 - 1),
)
def test_whatever_comes_is_read_or_unreadable_and_nothing_else(value, headers, timestamp):
    try:
        read = parse(record(value, headers, timestamp))
    except UnreadableRecord:
        return

    assert all(abs(each.balance) <= Decimal("9999999999999.99") for each in read)
