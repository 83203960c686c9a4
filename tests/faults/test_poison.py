"""Records that cannot be read are parked, up to a complete poll of them, and the records between them are applied."""

import os
from contextlib import closing

import pytest
from kafka import KafkaProducer

from tests.faults.quiet import await_quiet

RECORDS = 5000
GARBAGE = [
    lambda: (os.urandom(60), []),
    lambda: (None, []),
    lambda: (b'{"Name": "BalanceUpdated", "Payload": {}}', []),
    lambda: (b"[" * 60_000, []),
    lambda: (b'{"Name": "AccountCreated", "Payload": {"account_id": "", "client_id": "", "balance": 1}}', []),
    lambda: (b'{"Name": "AccountCreated", "Payload": {"account_id": "x", "balance": 1e400000}}', []),
    lambda: (b'{"Name": "AccountCreated", "Payload": {"account_id": "x", "balance": 1}}', [("sequence", b"soon")]),
]


@pytest.mark.timeout(120, func_only=True)
def test_5000_unreadable_records_are_parked_and_delay_no_other(scene):
    scene.load(copies=False)

    with closing(KafkaProducer(bootstrap_servers=scene.system.bootstrap_servers, api_version=(3, 9))) as producer:
        for number in range(RECORDS):
            value, headers = GARBAGE[number % len(GARBAGE)]()
            producer.send("balances", value, b"poison", headers)
        producer.flush(timeout=60)

    print(f"\na transfer behind {RECORDS} unreadable records was read after {scene.through():.1f} s")
    await_quiet(scene.system)
    assert scene.system.rows("balances", "SELECT COUNT(*) FROM dead_letters WHERE state = 'parked'") == ((RECORDS,),)
    scene.system.rows("balances", "DELETE FROM dead_letters")
