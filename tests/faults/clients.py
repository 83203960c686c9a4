"""The clients: they transfer and read while faults happen, and keep a history of their requests and the responses."""

import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import requests

if TYPE_CHECKING:
    from tests.faults.system import System

RESPONSE_SECONDS = 12  # longer than the service's own limit for a statement
SUBSET, SUBSET_SECONDS = 8, 1.5
RESOLVE_SECONDS = 40
CLIENT, GIFT = "c0000000-0000-4000-8000-000000000001", Decimal(10)
GIVERS = [f"a0000000-0000-4000-8000-{number:012}" for number in range(1, 13)]  # seeded, with money
NO_RESPONSE = 0  # among the statuses

State = tuple[str, int, str, Decimal]  # account, sequence, updated_at, balance


class Broken(AssertionError):
    """A promise was not kept."""


@dataclass(eq=False)
class Transfer:
    """One transfer as a client knows it. Every retry has the same key and body."""

    key: str
    source: str
    target: str
    amount: Decimal
    id: str | None = None  # of a 201
    sequence: int = 0
    refused: bool = False  # by the response to every attempt so far
    in_doubt: bool = False  # an attempt had no response, or one that leaves its outcome open

    @property
    def outcome(self) -> str:
        if self.id:
            return "stored"
        return "unknown" if self.in_doubt else "refused"


def request_transfer(
    session: requests.Session, url: str, transfer: Transfer, seconds: float = RESPONSE_SECONDS
) -> requests.Response | None:
    """Send the transfer once, and note the outcome. Raises Broken for a response that breaks a promise."""
    body = {"account_id_from": transfer.source, "account_id_to": transfer.target, "amount": float(transfer.amount)}
    headers = {"Idempotency-Key": transfer.key}
    try:
        response = session.post(f"{url}/transactions", json=body, headers=headers, timeout=seconds)
        answer = response.json()
    except requests.RequestException:
        transfer.in_doubt = True
        return None
    if response.status_code == 201:
        if transfer.id not in (None, answer["id"]):
            raise Broken(f"key {transfer.key} was answered with two transfers: {transfer.id} and {answer['id']}")
        if transfer.refused and not transfer.in_doubt:
            raise Broken(f"key {transfer.key} was refused and stored: {answer['id']}")
        transfer.id, transfer.sequence = answer["id"], int(response.headers["Sequence"])
    elif response.status_code in (404, 422):
        if transfer.id:
            raise Broken(f"key {transfer.key} was stored as {transfer.id} and then refused: {response.text}")
        transfer.refused = True
    elif response.status_code in (409, 503):
        transfer.in_doubt = True
    else:
        raise Broken(f"POST /transactions answered {response.status_code}: {response.text}")
    return response


class Load:
    """Client threads that transfer, and a reader thread, from `start` to `stop`.

    `epoch` is the read model's: after it was restored from a backup, older balances are read again.
    """

    def __init__(
        self,
        system: "System",
        accounts: Sequence[str],
        seed: object,
        wallets: Sequence[str] = ("wallet",),
        balances: Sequence[str] = ("balances",),
        clients: int = 3,
        pause: float = 0.01,
    ) -> None:
        self._system, self._accounts, self._pause = system, accounts, pause
        self._wallets, self._balances = wallets, balances
        self._stop = threading.Event()
        self.history: list[Transfer] = []
        self.readings: set[State] = set()
        self.failures: list[Exception] = []
        self.statuses: Counter[int] = Counter()  # of all responses
        self.epoch = 0
        self._threads = [
            threading.Thread(target=self._guarded, args=(work, random.Random(f"{seed}/{number}")), daemon=True)
            for number, work in enumerate([self._transfer] * clients + [self._read])
        ]

    def start(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        if self.failures:
            raise self.failures[0]

    def _guarded(self, work: Callable[[requests.Session, random.Random], None], rng: random.Random) -> None:
        try:
            with requests.Session() as session:
                work(session, rng)
        except Exception as error:
            self.failures.append(error)

    def _transfer(self, session: requests.Session, rng: random.Random) -> None:
        subset: list[str] = []
        until = 0.0
        while not self._stop.wait(rng.random() * 2 * self._pause):
            if time.monotonic() > until:  # the other accounts keep their balance: a lost event stays visible
                subset = rng.sample(self._accounts, SUBSET)
                until = time.monotonic() + SUBSET_SECONDS * (0.5 + rng.random())
            url = self._system.url(rng.choice(self._wallets))
            if self.history and rng.random() < 0.05:
                again = rng.choice(self.history[-50:])
                if again.id or again.in_doubt:
                    self._count(request_transfer(session, url, again))
                continue
            source, target = rng.sample(subset, 2)
            amount = Decimal(rng.randint(1, 300)) / 100
            if rng.random() < 0.05:
                amount = Decimal(10**9)  # more than any account holds
            transfer = Transfer(str(uuid.uuid4()), source, target, amount)
            self._count(request_transfer(session, url, transfer))
            self.history.append(transfer)

    def _count(self, response: requests.Response | None) -> None:
        self.statuses[NO_RESPONSE if response is None else response.status_code] += 1
        if response is None or response.status_code == 503:
            self._stop.wait(0.1)  # as a client does that honours Retry-After

    def _read(self, session: requests.Session, rng: random.Random) -> None:
        """No account may read backwards: on one server whichever instance is asked, else at each instance."""
        last: dict[tuple[int, str, str], int] = {}
        while not self._stop.wait(0.01):
            account, instance, epoch = rng.choice(self._accounts), rng.choice(self._balances), self.epoch
            try:
                response = session.get(f"{self._system.url(instance)}/balances/{account}", timeout=5)
            except requests.RequestException:
                continue
            self._count(response)
            place = epoch, account, "" if self._system.one_server else instance
            if response.status_code == 503 or (response.status_code == 404 and place not in last):
                continue
            if response.status_code != 200:
                raise Broken(f"GET /balances answered {response.status_code}: {response.text}")
            answer = response.json(parse_float=Decimal, parse_int=Decimal)
            sequence = int(response.headers["Sequence"])
            if epoch != self.epoch:
                continue  # a restore came in between
            if sequence < (known := last.get(place, 0)):
                raise Broken(f"account {account} read backwards: {sequence} after {known}")
            last[place] = sequence
            self.readings.add((account, sequence, answer["updated_at"], answer["balance"]))


def open_accounts(system: "System", number: int) -> list[str]:
    """Open that many accounts, with money from the seeded ones; return their ids."""
    with requests.Session() as session:
        accounts = []
        for each in range(number):
            body = {"client_id": CLIENT}
            response = session.post(f"{system.url('wallet')}/accounts", json=body, timeout=RESPONSE_SECONDS)
            accounts.append(response.json()["ID"])
            gift = Transfer(str(uuid.uuid4()), GIVERS[each % len(GIVERS)], accounts[-1], GIFT)
            request_transfer(session, system.url("wallet"), gift)
    return accounts


def resolve(system: "System", history: Sequence[Transfer], wallets: Sequence[str]) -> None:
    """Retry, with its key, each transfer that is in doubt, until the outcome of all is known."""
    with requests.Session() as session:
        for transfer in history:
            deadline = time.monotonic() + RESOLVE_SECONDS
            while transfer.in_doubt and not transfer.id:
                response = request_transfer(session, system.url(wallets[0]), transfer)
                if response is not None and response.status_code in (404, 422):
                    break
                if time.monotonic() > deadline:
                    raise Broken(f"the outcome of key {transfer.key} was unknown for {RESOLVE_SECONDS} s")
                if not transfer.id:
                    time.sleep(0.05)
