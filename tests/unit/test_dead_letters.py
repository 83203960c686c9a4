"""The sequence of a dead letter."""

from datetime import datetime

import pytest

from balances.messages import parse
from common.events.dead_letters import DeadLetter, UnreadableRecord

ANNOUNCED = b'{"Name":"BalanceAnnounced","Payload":{"account_id":"a","balance":900}}'


def dead_letter(headers):
    now = datetime(2026, 11, 25)
    return DeadLetter(1, "balances", 0, 0, None, ANNOUNCED, headers, 0, "…", "parked", now, None, None, None)


@pytest.mark.parametrize(
    ("headers", "sequence"),
    [
        ([], None),
        ([("sequence", b"7")], 7),
        ([("sequence", None)], None),
        ([("sequence", b"7"), ("sequence", None)], None),
        ([("sequence", None), ("sequence", b"7")], 7),
        ([("sequence", b"7"), ("sequence", b"8")], 8),
        ([("Sequence", b"7")], None),
        ([("SEQUENCE", b"7"), ("sequence", None)], None),
        ([("sequence ", b"7")], None),
    ],
)
def test_a_dead_letter_has_a_sequence_exactly_when_its_balance_has_one(headers, sequence):
    (balance,) = parse(dead_letter(headers), clock=lambda: 0)

    assert balance.sequence == sequence
    assert dead_letter(headers).has_sequence == (sequence is not None)


@pytest.mark.parametrize("text", [b"", b" ", b"seven", b"-1"])
def test_a_sequence_that_is_no_number_is_one_that_cannot_be_read(text):
    headers = [("sequence", text)]

    with pytest.raises(UnreadableRecord, match="not a decimal number"):
        parse(dead_letter(headers), clock=lambda: 0)
    assert dead_letter(headers).has_sequence
