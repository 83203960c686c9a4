"""The stage of a named test: the system, clients on it, and every promise checked when the test is over."""

import threading
import time
import uuid
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import requests

from tests.faults.chaos import Repeater
from tests.faults.clients import Load, Transfer, ask, opened_accounts, settle
from tests.faults.system import System, Unmet
from tests.faults.verdict import Verdict

ACCOUNTS = 100
WARM_UP_SECONDS = 4
TRY_SECONDS = 2
PROBES = 12  # transfers of as many accounts: together they take every partition
CENT = Decimal("0.01")


@contextmanager
def stage(**environment):
    """(system, accounts, verdict): a system taken over from ./local.sh, warm, with accounts that hold money.

    `environment` is what its services get besides the usual.
    """
    system = System(environment)
    try:
        system.open()
        accounts = opened_accounts(system, ACCOUNTS)
        system.await_quiet()
        verdict = Verdict(system)
        load = Load(system, accounts, "warm").start()
        time.sleep(WARM_UP_SECONDS)
        load.stop()
        system.await_quiet()
        verdict.note_usual()
        verdict.check(load.history, load.readings)
        yield system, accounts, verdict
    finally:
        system.close()


class Scene:
    def __init__(self, system, accounts, verdict):
        self.system = system
        self.account = accounts[-1]
        self._accounts, self._verdict = accounts, verdict
        self._history, self._loads, self._repeater = [], [], None
        system.cast(["wallet", "balances"])

    def load(self, wallets=("wallet",), balances=("balances",), copies=True):
        """Transfers and readings from now to the end, copies of records among them."""
        if copies:
            self._repeater = Repeater(self.system, seed=0).start()
        self._loads.append(Load(self.system, self._accounts, 0, wallets, balances, clients=2, pause=0.02).start())
        time.sleep(1)
        return self._loads[-1]

    def transfer(self, wallet="wallet"):
        """Ask for one transfer; give the answer, or None when there is none."""
        self._history.append(Transfer(str(uuid.uuid4()), self.account, self._accounts[0], CENT))
        with requests.Session() as session:
            return ask(session, self.system.url(wallet), self._history[-1])

    def transfer_in_the_background(self, wallet):
        threading.Thread(target=self.transfer, args=(wallet,), daemon=True).start()

    def through(self, wallet="wallet", balances="balances", limit=30):
        """Seconds until transfers asked from now on are stored and then told by Balances, over every partition."""
        started = time.monotonic()
        probes = [
            Transfer(str(uuid.uuid4()), source, target, CENT)
            for source, target in zip(self._accounts[:PROBES], self._accounts[1:], strict=False)
        ]
        self._history += probes
        with requests.Session() as session:
            for probe in probes:
                while not probe.id:
                    ask(session, self.system.url(wallet), probe, TRY_SECONDS)
                    _within(limit, started, "a transfer to be stored")
            for probe in probes:
                while _sequence(session, f"{self.system.url(balances)}/balances/{probe.source}") < probe.sequence:
                    _within(limit, started, "a balance to be told")
        return time.monotonic() - started

    def finish(self):
        """Mend everything, end the load, and check all that was promised."""
        self.system.heal()
        self.system.await_ready(*self.system.services())
        if self._repeater:
            self._repeater.stop()
        for load in self._loads:
            load.stop()
        history = [*self._history, *(transfer for load in self._loads for transfer in load.history)]
        settle(self.system, history, self.system.services("wallet"))
        self.system.await_quiet()
        self._verdict.check(history, set().union(*(load.readings for load in self._loads)))


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def _sequence(session, url):
    try:
        answer = session.get(url, timeout=TRY_SECONDS)
    except requests.RequestException:
        return 0
    if answer.status_code != 200:
        time.sleep(0.02)
        return 0
    return int(answer.headers["Sequence"])


def _within(limit, started, what):
    if time.monotonic() - started > limit:
        raise Unmet(f"waited {limit} s for {what}")
    time.sleep(0.01)
