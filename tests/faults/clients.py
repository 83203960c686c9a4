"""The clients: they transfer and read while things break, and keep a history of what they asked and were told."""

import random
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal

import requests

ANSWER_SECONDS = 12  # longer than the service's own limit for a statement
SUBSET, SUBSET_SECONDS = 8, 1.5
SETTLE_SECONDS = 40
CLIENT, GIFT = "c0000000-0000-4000-8000-000000000001", Decimal(10)
GIVERS = [f"a0000000-0000-4000-8000-{number:012}" for number in range(1, 13)]  # seeded, with money


class Broken(AssertionError):
    """A promise was not kept."""


@dataclass(eq=False)
class Transfer:
    """One transfer as a client knows it. Asked again, it is asked with the same key and body."""

    key: str
    source: str
    target: str
    amount: Decimal
    id: str | None = None  # told with a 201
    sequence: int | None = None
    refused: bool = False  # by the answer to every attempt so far
    in_doubt: bool = False  # an attempt has had no answer, or one that leaves its outcome open

    @property
    def outcome(self):
        if self.id:
            return "stored"
        return "unknown" if self.in_doubt else "refused"


def ask(session, url, transfer, seconds=ANSWER_SECONDS):
    """Ask for the transfer once, and note the answer. Raises Broken for an answer that breaks a promise."""
    body = {"account_id_from": transfer.source, "account_id_to": transfer.target, "amount": float(transfer.amount)}
    try:
        answer = session.post(
            f"{url}/transactions", json=body, headers={"Idempotency-Key": transfer.key}, timeout=seconds
        )
        told = answer.json()
    except requests.RequestException:
        transfer.in_doubt = True
        return None
    if answer.status_code == 201:
        if transfer.id not in (None, told["id"]):
            raise Broken(f"key {transfer.key} was told two transfers: {transfer.id} and {told['id']}")
        if transfer.refused and not transfer.in_doubt:
            raise Broken(f"key {transfer.key} was refused and stored: {told['id']}")
        transfer.id, transfer.sequence = told["id"], int(answer.headers["Sequence"])
    elif answer.status_code in (404, 422):
        if transfer.id:
            raise Broken(f"key {transfer.key} was stored as {transfer.id} and then refused: {answer.text}")
        transfer.refused = True
    elif answer.status_code in (409, 503):
        transfer.in_doubt = True
    else:
        raise Broken(f"POST /transactions answered {answer.status_code}: {answer.text}")
    return answer


class Load:
    """Client threads that transfer, and reader threads, from `start` to `stop`. `backwards` moves with each restore."""

    def __init__(self, system, accounts, seed, wallets=("wallet",), balances=("balances",), clients=3, pause=0.01):
        self._system, self._accounts, self._pause = system, accounts, pause
        self._wallets, self._balances = wallets, balances
        self._stop = threading.Event()
        self.history, self.readings, self.failures = [], set(), []
        self.statuses = Counter()  # of all answers
        self.epoch = 0  # of the read model: another one after it was restored from a backup
        self._threads = [
            threading.Thread(target=self._guarded, args=(work, random.Random(f"{seed}/{number}")), daemon=True)
            for number, work in enumerate([self._transfer] * clients + [self._read])
        ]

    def start(self):
        for thread in self._threads:
            thread.start()
        return self

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()
        if self.failures:
            raise self.failures[0]

    def _guarded(self, work, rng):
        try:
            with requests.Session() as session:
                work(session, rng)
        except Exception as error:
            self.failures.append(error)

    def _transfer(self, session, rng):
        subset, until = [], 0.0
        while not self._stop.wait(rng.random() * 2 * self._pause):
            if time.monotonic() > until:  # those that are left keep the balance they have: what is lost stays visible
                subset, until = (
                    rng.sample(self._accounts, SUBSET),
                    time.monotonic() + SUBSET_SECONDS * (0.5 + rng.random()),
                )
            url = self._system.url(rng.choice(self._wallets))
            if self.history and rng.random() < 0.05:
                again = rng.choice(self.history[-50:])
                if again.id or again.in_doubt:
                    self._count(ask(session, url, again))
                continue
            source, target = rng.sample(subset, 2)
            amount = Decimal(rng.randint(1, 300)) / 100
            if rng.random() < 0.05:
                amount = Decimal(10**9)  # more than there is
            transfer = Transfer(str(uuid.uuid4()), source, target, amount)
            self._count(ask(session, url, transfer))
            self.history.append(transfer)

    def _count(self, answer):
        if answer is not None:
            self.statuses[answer.status_code] += 1
        if answer is None or answer.status_code == 503:
            self._stop.wait(0.1)  # as a client does that is told to come back later

    def _read(self, session, rng):
        """No account may read backwards, whichever instance is asked."""
        last = {}
        while not self._stop.wait(0.01):
            account, epoch = rng.choice(self._accounts), self.epoch
            try:
                answer = session.get(f"{self._system.url(rng.choice(self._balances))}/balances/{account}", timeout=5)
            except requests.RequestException:
                continue
            self._count(answer)
            if answer.status_code == 503 or (answer.status_code == 404 and (epoch, account) not in last):
                continue
            if answer.status_code != 200:
                raise Broken(f"GET /balances answered {answer.status_code}: {answer.text}")
            told = answer.json(parse_float=Decimal, parse_int=Decimal)
            sequence = int(answer.headers["Sequence"])
            if epoch != self.epoch:
                continue  # a restore came in between
            if sequence < (known := last.get((epoch, account), 0)):
                raise Broken(f"account {account} read backwards: {sequence} after {known}")
            last[epoch, account] = sequence
            self.readings.add((account, sequence, told["updated_at"], told["balance"]))


def opened_accounts(system, number):
    """Open that many accounts, with money from the seeded ones; give their ids."""
    with requests.Session() as session:
        accounts = []
        for each in range(number):
            body = {"client_id": CLIENT}
            answer = session.post(f"{system.url('wallet')}/accounts", json=body, timeout=ANSWER_SECONDS)
            accounts.append(answer.json()["ID"])
            ask(
                session,
                system.url("wallet"),
                Transfer(str(uuid.uuid4()), GIVERS[each % len(GIVERS)], accounts[-1], GIFT),
            )
    return accounts


def settle(system, history, wallets):
    """Ask again, with its key, for each transfer that is in doubt, until all of them are told."""
    with requests.Session() as session:
        for transfer in history:
            deadline = time.monotonic() + SETTLE_SECONDS
            while transfer.in_doubt and not transfer.id:
                answer = ask(session, system.url(wallets[0]), transfer)
                if answer is not None and answer.status_code in (404, 422):
                    break
                if time.monotonic() > deadline:
                    raise Broken(f"key {transfer.key} was not told within {SETTLE_SECONDS} s")
                if not transfer.id:
                    time.sleep(0.05)
