"""The events on Kafka, byte for byte: the golden files are what Wallet writes and what Balances reads.

Those of `TransactionCreated` and `BalanceUpdated` were written by Go's own encoding/json, from the structs of the
Wallet Core (Go).
"""

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest

import balances.messages
import wallet.messages
from balances.messages import Balance, parse
from common.events.publish import relay_batch
from tests.stand_ins import OutboxConnection, Producer
from wallet.domain import AccountCreated, BalanceAnnounced, BalanceUpdated, TransactionCreated
from wallet.messages import to_message

ANA, BRUNO = "8f4e3d6c-6a53-4b0e-9d0f-3f8f6a7f2f10", "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed"
TRANSACTION, CLIENT = "7c9e6679-7425-40de-944b-e07fc1f90ae7", "5f0c2f6a-2c55-4d6c-9e38-0d5ab3f1c9b2"
EVENT_ID = "0b6ad5c2-0f0e-4f5c-9a51-2f5d6ad1a111"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
ODD = 'ã <b>& "quoted" \\ / 😀'
SEQUENCE, HAPPENED = 1795347740123456, datetime(2026, 11, 22, 11, 42, 20, 123456)
RECORDED = datetime(2026, 11, 22, 11, 42, 20, 987000)
RECORDED_MS = 1_795_347_740_987


def golden(name):
    return (Path(__file__).parent / "golden" / f"{name}.json").read_bytes().removesuffix(b"\n")


EVENTS = {
    "transaction_created": TransactionCreated(SEQUENCE, TRANSACTION, ANA, BRUNO, Decimal("100.00")),
    "transaction_created_cents": TransactionCreated(SEQUENCE, TRANSACTION, ANA, BRUNO, Decimal("0.10")),
    "balance_updated": BalanceUpdated(SEQUENCE, ANA, BRUNO, Decimal("900.00"), Decimal("1100.00")),
    "balance_updated_cents": BalanceUpdated(SEQUENCE, ANA, BRUNO, Decimal("899.50"), Decimal("9999999999999.99")),
    "balance_updated_escaped": BalanceUpdated(SEQUENCE, ODD, BRUNO, Decimal("0.00"), Decimal("0.01")),
    "account_created": AccountCreated(SEQUENCE, ANA, CLIENT, Decimal(0)),
    "balance_announced": BalanceAnnounced(SEQUENCE, ANA, Decimal("900.00")),
}


@pytest.mark.parametrize(("name", "event"), EVENTS.items(), ids=EVENTS)
def test_wallet_writes_the_golden_bytes(name, event):
    message = to_message(event)

    assert message.value.encode("utf-8") == golden(name)


@pytest.mark.parametrize(
    ("name", "topic", "key"),
    [
        ("transaction_created", "transactions", ANA),
        ("balance_updated", "balances", ANA),
        ("balance_updated_escaped", "balances", ODD),
        ("account_created", "accounts", ANA),
        ("balance_announced", "accounts", ANA),
    ],
)
def test_wallet_sends_each_event_to_its_topic_under_the_id_of_the_account_it_leaves(name, topic, key):
    message = to_message(EVENTS[name])

    assert (message.topic, message.key) == (topic, key)


READ = {
    "balance_updated": [(ANA, Decimal(900)), (BRUNO, Decimal(1100))],
    "balance_updated_cents": [(ANA, Decimal("899.5")), (BRUNO, Decimal("9999999999999.99"))],
    "balance_updated_escaped": [(ODD, Decimal(0)), (BRUNO, Decimal("0.01"))],
    "account_created": [(ANA, Decimal(0))],
    "balance_announced": [(ANA, Decimal(900))],
}


@pytest.mark.parametrize(("name", "expected"), READ.items(), ids=READ)
def test_balances_reads_the_golden_bytes_as_wallet_sends_them(name, expected):
    headers = [(key, value.encode("utf-8")) for key, value in json.loads(golden("headers")).items()]

    read = parse(SimpleNamespace(value=golden(name), headers=headers, timestamp=RECORDED_MS), lambda: SEQUENCE)

    creation = name == "account_created"
    assert read == tuple(Balance(account, amount, SEQUENCE, HAPPENED, creation) for account, amount in expected)


@pytest.mark.parametrize("name", ["balance_updated", "balance_updated_cents", "balance_updated_escaped"])
def test_balances_reads_the_golden_bytes_as_the_wallet_core_sends_them_without_key_and_headers(name):
    record = SimpleNamespace(value=golden(name), key=None, headers=[], timestamp=RECORDED_MS)

    read = parse(record, lambda: SEQUENCE)

    assert read == tuple(Balance(account, amount, None, RECORDED) for account, amount in READ[name])


def test_wallet_sends_the_golden_headers():
    message = to_message(EVENTS["balance_updated"])
    connection = OutboxConnection([(1, *message, EVENT_ID, "checkout-1", HAPPENED, TRACE)])
    producer = Producer()

    relay_batch(connection, producer)

    (sent,) = producer.sent
    assert [(key, value.decode("utf-8")) for key, value in sent.headers] == list(json.loads(golden("headers")).items())
    assert (sent.key, sent.value) == (ANA.encode(), golden("balance_updated"))


def test_every_topic_that_balances_reads_is_one_that_wallet_writes():
    assert set(balances.messages.TOPICS) < set(wallet.messages.TOPICS)
