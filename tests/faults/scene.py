"""The stage of a named test: the system, clients of it, and every promise checked when the test is over."""

import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import requests

from tests.eventually import Unmet
from tests.faults.chaos import Repeater
from tests.faults.clients import Load, Transfer, open_accounts, request_transfer, resolve
from tests.faults.quiet import await_quiet
from tests.faults.servers import Servers
from tests.faults.system import System
from tests.faults.verdict import Verdict

ACCOUNTS = 100
WARM_UP_SECONDS = 4
TRY_SECONDS = 2
PROBES = 12  # transfers of as many accounts: together they take every partition
CENT = Decimal("0.01")

Stage = tuple[System, list[str], Verdict]


@contextmanager
def stage(servers: Servers | None = None, **environment: str) -> Iterator[Stage]:
    """(system, accounts, verdict): a system taken over from ./local.sh, warm, with accounts that hold money.

    `servers` are other database servers than its own; `environment` is what its services get in addition.
    """
    system = System(environment, servers)
    try:
        system.open()
        accounts = open_accounts(system, ACCOUNTS)
        await_quiet(system)
        verdict = Verdict(system)
        load = Load(system, accounts, "warm").start()
        time.sleep(WARM_UP_SECONDS)
        load.stop()
        await_quiet(system)
        verdict.note_usual()
        verdict.check(load.history, load.readings)
        yield system, accounts, verdict
    finally:
        system.close()


class Scene:
    def __init__(self, system: System, accounts: Sequence[str], verdict: Verdict) -> None:
        self.system = system
        self.account = accounts[-1]
        self.accounts, self.verdict = accounts, verdict
        self._history: list[Transfer] = []
        self._loads: list[Load] = []
        self._repeater: Repeater | None = None
        system.cast(["wallet", "balances"])

    def load(
        self,
        wallets: Sequence[str] = ("wallet",),
        balances: Sequence[str] = ("balances",),
        copies: bool = True,
        accounts: Sequence[str] | None = None,
        clients: int = 2,
        pause: float = 0.02,
    ) -> Load:
        """Transfers and readings from now to the end, copies of records among them."""
        if copies:
            self._repeater = Repeater(self.system, seed=0).start()
        seed = len(self._loads)
        load = Load(self.system, accounts or self.accounts, seed, wallets, balances, clients, pause)
        self._loads.append(load.start())
        time.sleep(1)
        return load

    def transfer(self, wallet: str = "wallet", source: str | None = None) -> requests.Response | None:
        """Request one transfer; return the response, or None when there is none."""
        transfer = Transfer(str(uuid.uuid4()), source or self.account, self.accounts[0], CENT)
        self._history.append(transfer)
        with requests.Session() as session:
            return request_transfer(session, self.system.url(wallet), transfer)

    def transfer_in_the_background(self, wallet: str) -> None:
        threading.Thread(target=self.transfer, args=(wallet,), daemon=True).start()

    def through(self, wallet: str = "wallet", balances: str = "balances", limit: float = 30) -> float:
        """Seconds until transfers requested from now on are stored and then read from Balances, over every
        partition."""
        started = time.monotonic()
        probes = []
        with requests.Session() as session:
            for source, target in zip(self.accounts[:PROBES], self.accounts[1:], strict=False):
                probe = self._probe(source, target)
                while not probe.id:
                    if probe.refused:  # the load has emptied the account for a moment: request another transfer
                        probe = self._probe(source, target)
                    request_transfer(session, self.system.url(wallet), probe, TRY_SECONDS)
                    _within(limit, started, "a transfer to be stored")
                probes.append(probe)
            for probe in probes:
                while _sequence(session, f"{self.system.url(balances)}/balances/{probe.source}") < probe.sequence:
                    _within(limit, started, "a balance to be read")
        return time.monotonic() - started

    def _probe(self, source: str, target: str) -> Transfer:
        probe = Transfer(str(uuid.uuid4()), source, target, CENT)
        self._history.append(probe)
        return probe

    def finish(self) -> None:
        """End every fault and the load, and check all that was promised."""
        self.system.heal()
        self.system.await_ready(*self.system.services())
        if self._repeater:
            self._repeater.stop()
        for load in self._loads:
            load.stop()
        self.check()

    def check(self) -> None:
        """Check all that was promised, once no event is in flight. No load runs."""
        history = [*self._history, *(transfer for load in self._loads for transfer in load.history)]
        resolve(self.system, history, self.system.services("wallet"))
        await_quiet(self.system)
        self.verdict.check(history, set().union(*(load.readings for load in self._loads)))


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def _sequence(session: requests.Session, url: str) -> int:
    try:
        response = session.get(url, timeout=TRY_SECONDS)
    except requests.RequestException:
        return 0
    if response.status_code != 200:
        time.sleep(0.02)
        return 0
    return int(response.headers["Sequence"])


def _within(limit: float, started: float, what: str) -> None:
    if time.monotonic() - started > limit:
        raise Unmet(f"waited {limit} s for {what}")
    time.sleep(0.01)
