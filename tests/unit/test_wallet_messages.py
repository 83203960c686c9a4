"""The bytes of events that the golden files of tests/contract do not show."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet.domain import AccountCreated, BalanceAnnounced, BalanceUpdated, TransactionCreated
from wallet.messages import TOPICS, to_message

amounts = st.decimals(min_value=0, max_value=Decimal("9999999999999.99"), places=2)


def test_there_are_three_topics():
    assert TOPICS == ["accounts", "balances", "transactions"]


@pytest.mark.parametrize(
    ("event", "topic"),
    [
        (TransactionCreated(7, "t1", "a1", "a2", Decimal(1)), "transactions"),
        (BalanceUpdated(7, "a1", "a2", Decimal(1), Decimal(2)), "balances"),
        (AccountCreated(7, "a1", "c1", Decimal(0)), "accounts"),
        (BalanceAnnounced(7, "a1", Decimal(1)), "accounts"),
    ],
)
def test_the_key_is_the_account_so_that_its_events_keep_their_order(event, topic):
    message = to_message(event)

    assert (message.topic, message.key) == (topic, "a1")


@pytest.mark.parametrize(
    ("account_id", "written"),
    [
        ("<script>", r"\u003cscript\u003e"),
        ("a&b", r"a\u0026b"),
        ("a\u2028b\u2029", r"a\u2028b\u2029"),
        ("São Paulo 😀", "São Paulo 😀"),
        ('a"b\\c/d', r"a\"b\\c/d"),
    ],
)
def test_text_is_escaped_as_go_does(account_id, written):
    message = to_message(BalanceAnnounced(7, account_id, Decimal(1)))

    start, end = '{"Name":"BalanceAnnounced","Payload":{"account_id":"', '","balance":1}}'
    assert message.value == start + written + end


@given(account_id=st.text(), balance=amounts)
def test_the_value_is_json_with_exactly_the_id_and_the_balance(account_id, balance):
    message = to_message(BalanceAnnounced(7, account_id, balance))

    assert message.sequence == 7
    decoded = json.loads(message.value, parse_int=Decimal, parse_float=Decimal)
    assert decoded == {"Name": "BalanceAnnounced", "Payload": {"account_id": account_id, "balance": balance}}
