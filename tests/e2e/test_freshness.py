"""Read your writes: who reads with the Sequence of a POST's answer never gets an older balance."""

import os
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from itertools import chain

import pytest
import requests

from tests.eventually import eventually
from tests.http_api import transfer_body

READS = int(os.environ.get("READ_YOUR_WRITES", "200"))  # 10,000 take a few minutes
CLIENTS = 4
SEEDED = "a0000000-0000-4000-8000-000000000001"
STAKE, STEP = Decimal("0.20"), Decimal("0.01")


@pytest.mark.timeout(1200)
def test_none_of_many_reads_after_a_write_is_stale(wallet_url, balances_url):
    with ThreadPoolExecutor(CLIENTS) as clients:
        stale = list(clients.map(lambda _: _reader(wallet_url, balances_url, READS // CLIENTS), range(CLIENTS)))

    assert list(chain(*stale)) == []


def _reader(wallet_url, balances_url, reads):
    """Move a cent back and forth between two new accounts, and read one of them after each move.

    Gives the reads that were stale, as (expected, read).
    """
    session = requests.Session()
    accounts = _two_accounts(session, wallet_url)
    held = dict.fromkeys(accounts, Decimal(0))
    _transfer(session, wallet_url, SEEDED, accounts[0], STAKE)
    held[accounts[0]] += STAKE
    stale = []
    for number in range(reads):
        source, target = accounts if number % 2 == 0 else accounts[::-1]
        sequence = _transfer(session, wallet_url, source, target, STEP)
        held[source] -= STEP
        held[target] += STEP
        read = accounts[number // 2 % 2]
        if (balance := _balance(session, balances_url, read, sequence)) != held[read]:
            stale.append((held[read], balance))
    for account in accounts:  # give it back
        if held[account]:
            _transfer(session, wallet_url, account, SEEDED, held[account])
    return stale


def _two_accounts(session, url):
    client = session.post(f"{url}/clients", json={"name": "Reader", "email": "reader@example.com"}, timeout=10).json()
    new = {"client_id": client["ID"]}
    return [session.post(f"{url}/accounts", json=new, timeout=10).json()["ID"] for _ in range(2)]


def _transfer(session, url, source, target, amount):
    """The Sequence of the transfer's answer."""
    body = transfer_body(source, target, float(amount))
    answer = session.post(f"{url}/transactions", json=body, timeout=10)
    assert answer.status_code == 201, answer.text
    return answer.headers["Sequence"]


def _balance(session, url, account_id, sequence):
    """The account's balance no older than the sequence; a 503 is retried."""

    def read():
        answer = session.get(f"{url}/balances/{account_id}?min_sequence={sequence}", timeout=10)
        assert answer.status_code in (200, 503), answer.text
        return answer if answer.ok else None

    return Decimal(str(eventually(read, seconds=20).json()["balance"]))
