"""Kafka record to balances. Ignores unknown fields. Checks the limits of every column before MySQL would."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import msgspec

from common.events.dead_letters import UnreadableRecord, sequence_header

TOPICS = ("accounts", "balances")

ID_CHARACTERS = 255
INTEGER_DIGITS, CENT = 13, Decimal("0.01")
SEQUENCE_AHEAD_SECONDS = 86_400  # a sequence further ahead of the clock would block later events of its account
_EPOCH = datetime(1970, 1, 1)
_OWN_CHARACTERS = len("2026-11-22T11:42:20.123456Z")
_LAST_MILLISECOND = 253_402_300_799_999  # the end of the year 9999, MySQL's last


class Balance(msgspec.Struct, frozen=True, gc=False):
    """The balance of an account after an event. `sequence` is None for an event of Wallet Core (Go)."""

    account_id: str
    balance: Decimal
    sequence: int | None
    updated_at: datetime
    creation: bool = False  # AccountCreated only inserts, never updates


class _TransferBalances(msgspec.Struct):
    account_id_from: str
    account_id_to: str
    balance_account_id_from: Decimal
    balance_account_id_to: Decimal


class _AccountBalance(msgspec.Struct):
    account_id: str
    balance: Decimal


class _BalanceUpdated(msgspec.Struct, tag_field="Name", tag="BalanceUpdated"):
    Payload: _TransferBalances


class _AccountCreated(msgspec.Struct, tag_field="Name", tag="AccountCreated"):
    Payload: _AccountBalance


class _BalanceAnnounced(msgspec.Struct, tag_field="Name", tag="BalanceAnnounced"):
    Payload: _AccountBalance


# msgspec instead of json: exact Decimals and checked types in a fifth of the time.
_decode = msgspec.json.Decoder(_BalanceUpdated | _AccountCreated | _BalanceAnnounced).decode
_UNREADABLE = (msgspec.MsgspecError, TypeError, ValueError, RecursionError)


def parse(record: Any, clock: Callable[[], int]) -> tuple[Balance, ...]:
    """The balances in a Kafka record, one or two. Raises UnreadableRecord.

    `clock()` is the database's time in microseconds since 1970; a sequence must not be far ahead of it.
    """
    try:
        message = _decode(record.value)
    except _UNREADABLE as error:
        raise UnreadableRecord(f"not an event of a known kind: {error}") from error
    headers = dict(record.headers)
    sequence = _sequence(sequence_header(headers), clock)
    moment = _moment(headers.get("occurred_at"), record.timestamp)
    payload = message.Payload
    if type(message) is _BalanceUpdated:
        return (
            _balance(payload.account_id_from, payload.balance_account_id_from, sequence, moment),
            _balance(payload.account_id_to, payload.balance_account_id_to, sequence, moment),
        )
    return (_balance(payload.account_id, payload.balance, sequence, moment, type(message) is _AccountCreated),)


def describe(record: Any) -> dict[str, Any]:
    """The event's name and the ids of its accounts, for display; none of what cannot be read."""
    try:
        message = _decode(record.value)
    except _UNREADABLE:
        return {"name": None, "accounts": []}
    payload = message.Payload
    if isinstance(payload, _TransferBalances):
        accounts = [payload.account_id_from, payload.account_id_to]
    else:
        accounts = [payload.account_id]
    return {"name": type(message).__struct_config__.tag, "accounts": [each[:ID_CHARACTERS] for each in accounts]}


def _balance(
    account_id: str, balance: Decimal, sequence: int | None, moment: datetime, creation: bool = False
) -> Balance:
    if not 1 <= len(account_id) <= ID_CHARACTERS or account_id[-1] == " " or not account_id.isprintable():
        raise UnreadableRecord("an account id must have 1 to 255 printable characters and must not end in a space")
    if sequence is None and balance.is_finite() and balance.adjusted() < INTEGER_DIGITS:
        # Wallet Core (Go) computes with floats: 1166.67 - 0.1 is 1166.5700000000002. Its column rounds half up.
        balance = balance.quantize(CENT, ROUND_HALF_UP)
    # msgspec also accepts the texts "NaN" and "Infinity". adjusted(), the exponent, bounds the number before anything
    # is computed with it.
    if not balance.is_finite() or (balance and not (-2 <= balance.adjusted() < INTEGER_DIGITS and not balance % CENT)):
        raise UnreadableRecord("a balance must have at most 13 digits before the decimal point and 2 after it")
    return Balance(account_id, balance, sequence, moment, creation)


def _sequence(header: bytes | None, clock: Callable[[], int]) -> int | None:
    if header is None:
        return None
    if not (header.isdigit() and len(header) <= 19):
        raise UnreadableRecord("the sequence is not a decimal number")
    sequence = int(header)
    if sequence > clock() + SEQUENCE_AHEAD_SECONDS * 1_000_000:
        raise UnreadableRecord("the sequence is more than a day ahead of the database's clock")
    return sequence


def _moment(occurred_at: bytes | None, timestamp_ms: int | None) -> datetime:
    """The time of the event, naive UTC: its header, or the timestamp of the record."""
    if occurred_at is None:
        if timestamp_ms is None or not 0 <= timestamp_ms <= _LAST_MILLISECOND:
            raise UnreadableRecord("neither occurred_at nor the record's timestamp is a date")
        return _EPOCH + timedelta(milliseconds=timestamp_ms)
    try:
        text = occurred_at.decode("ascii")
        if len(text) == _OWN_CHARACTERS and text[-1] == "Z":  # as Wallet writes it: naive without its last character
            moment = datetime.fromisoformat(text[:-1])
            if moment.tzinfo is None:
                return moment
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None and moment.tzinfo is not UTC:
            moment = moment.astimezone(UTC)
        return datetime.combine(moment.date(), moment.time())  # a quarter of the time of replace(tzinfo=None)
    except (ValueError, OverflowError) as error:
        raise UnreadableRecord(f"occurred_at is not a date: {error}") from error
