"""What a round does to the system, and when: drawn from a seed, written as text, and read back from it."""

import random
import threading
import time
from typing import NamedTuple

import pymysql

from tests.faults.backup import back_up_balances, restore_balances
from tests.faults.clients import Broken
from tests.faults.proxy import COMMIT, COMMIT_BEHIND
from tests.faults.root import run_as_root

TERMINATED = (143, -15)  # an entrypoint that was still migrating, or a program that was just being loaded
LOAD_SECONDS, LAST_SECONDS, RESTORE_SECONDS = 12, 0.5, 60
# What a cut waits for: the bytes, whether the other side still receives them, the connection.
MOMENTS = {
    "transfer-commit-lost": (COMMIT_BEHIND, False, "wallet-mysql"),
    "transfer-commit-unanswered": (COMMIT_BEHIND, True, "wallet-mysql"),
    "inside-a-transfer": (b"FROM accounts FORCE INDEX", True, "wallet-mysql"),
    "removal-lost": (b"DELETE outbox FROM", False, "wallet-mysql"),
    "removal-unanswered": (b"DELETE outbox FROM", True, "wallet-mysql"),
    "batch-commit-lost": (COMMIT, False, "balances-mysql"),
    "batch-commit-unanswered": (COMMIT, True, "balances-mysql"),
    "inside-a-batch": (b"INSERT INTO balances", True, "balances-mysql"),
    "events-lost": (b"BalanceUpdated", False, "kafka"),
    "events-unanswered": (b"BalanceUpdated", True, "kafka"),
}
LINKS = ("wallet-mysql", "balances-mysql", "kafka")


class Fault(NamedTuple):
    at: float  # seconds after the round's start
    kind: str
    target: str
    seconds: float = 0.0  # until it is mended

    def __str__(self):
        return f"{self.at:g} {self.kind} {self.target} {self.seconds:g}"


class Plan(NamedTuple):
    wallets: int
    balances: int
    faults: list

    def __str__(self):
        return "; ".join([f"{self.wallets} wallets {self.balances} balances", *map(str, self.faults)])

    @property
    def cast(self):
        return [name(kind, each) for kind, number in self._numbers() for each in range(number)]

    def without(self, kind):
        return self._replace(faults=[fault for fault in self.faults if fault.kind != kind])

    def _numbers(self):
        return ("wallet", self.wallets), ("balances", self.balances)


def name(kind, number):
    return kind if number == 0 else f"{kind}-{number + 1}"


def drawn(seed):
    """The plan of a seed, always the same."""
    rng = random.Random(seed)
    plan = Plan(rng.choice((1, 1, 2)), rng.choice((1, 1, 2, 3)), [])
    processes = [*plan.cast, "kafka", "mysql"]
    for _ in range(rng.randint(3, 6)):
        at = round(rng.uniform(0.5, LOAD_SECONDS - 1), 1)
        kinds = ("kill", "stop", "pause", "hang", "cut", "cut-at", "restore", "read-only")
        kind = rng.choices(kinds, (6, 2, 4, 2, 2, 12, 2, 2))[0]
        if kind in ("kill", "stop"):
            fault = Fault(at, kind, rng.choice(processes), round(rng.uniform(0, 3), 1))
        elif kind == "pause":
            fault = Fault(
                at, kind, rng.choice(processes), round(rng.choice((0.5, 3, 8, 13)) * rng.uniform(0.8, 1.2), 1)
            )
        elif kind == "hang":
            fault = Fault(at, kind, rng.choice(LINKS), round(rng.choice((1, 4, 12)) * rng.uniform(0.8, 1.2), 1))
        elif kind == "cut":
            fault = Fault(at, kind, rng.choice(LINKS))
        elif kind == "cut-at":
            fault = Fault(at, kind, rng.choice(list(MOMENTS)), round(rng.uniform(0, 3), 1))
        elif kind == "read-only":
            fault = Fault(at, kind, "mysql", round(rng.uniform(0.5, 4), 1))
        else:
            fault = Fault(at, kind, "balances", round(rng.uniform(0.5, 3), 1))
        plan.faults.append(fault)
    # The last one so late that hardly an event follows which would cover what it lost.
    moments = [moment for moment, (_, _, link) in MOMENTS.items() if link == "balances-mysql"]
    late = [Fault(LOAD_SECONDS - LAST_SECONDS, "cut-at", moment, LAST_SECONDS) for moment in moments]
    late.append(Fault(LOAD_SECONDS - 2 * LAST_SECONDS, "restore", "balances", 2 * LAST_SECONDS))
    plan.faults.append(rng.choice(late))
    return plan._replace(faults=sorted(plan.faults))


def parsed(text):
    """The plan that `str` wrote."""
    head, *faults = text.split(";")
    wallets, _, balances, _ = head.split()
    return Plan(int(wallets), int(balances), [_fault(*words.split()) for words in faults])


def _fault(at, kind, target, seconds="0"):
    return Fault(float(at), kind, target, float(seconds))


def carry_out(plan, system, load):
    """Do it all to the system, and return when the last fault is over. Raises what went wrong with doing it."""
    started, failures = time.monotonic(), []
    busy = {target: threading.Lock() for target in [*plan.cast, "kafka", "mysql"]}

    def one(fault):
        time.sleep(max(0.0, started + fault.at - time.monotonic()))
        try:
            if fault.kind in ("kill", "stop", "pause"):
                with busy[fault.target]:
                    _to_process(system, fault)
            elif fault.kind == "read-only":
                _switch_to_read_only(system, fault)
            elif fault.kind == "restore":
                _restore(system, load, fault)
            else:
                _to_link(system, fault)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=one, args=(fault,), daemon=True) for fault in plan.faults]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    time.sleep(max(0.0, started + LOAD_SECONDS - time.monotonic()))


def _to_process(system, fault):
    code = {"kill": system.kill, "stop": system.stop, "pause": system.pause}[fault.kind](fault.target)
    if fault.kind == "stop" and code not in (0, *TERMINATED):
        raise Broken(f"{fault.target} ended with {code} after SIGTERM")
    time.sleep(fault.seconds)
    if fault.kind == "pause":
        system.resume(fault.target)
    else:
        system.start(fault.target)


def _to_link(system, fault):
    if fault.kind == "cut-at":
        words, delivered, link = MOMENTS[fault.target]
        until = time.monotonic() + fault.seconds
        system.proxies[link].cut_at(words, delivered)
        while (left := until - time.monotonic()) > 0:  # and again at each such moment
            if system.proxies[link].sprung(left):
                system.proxies[link].cut_at(words, delivered)
    elif fault.kind == "cut":
        system.proxies[fault.target].cut()
    else:
        system.proxies[fault.target].hang()
        time.sleep(fault.seconds)
        system.proxies[fault.target].let_go()


def _switch_to_read_only(system, fault):
    """As before a switch of servers. The setting does not survive a restart of the server."""
    _retried(lambda: run_as_root(system.folder / "mysql", "mysql.sock", "SET GLOBAL read_only = 1"))
    time.sleep(fault.seconds)
    _retried(lambda: run_as_root(system.folder / "mysql", "mysql.sock", "SET GLOBAL read_only = 0"))


def _restore(system, load, fault):
    """Put the read model back to what it was `seconds` ago, as one who restores a backup does."""
    backup = _retried(lambda: back_up_balances(system))
    time.sleep(fault.seconds)
    load.epoch += 1
    _retried(lambda: restore_balances(system, backup))
    load.epoch += 1


def _retried(work):
    """The result of the work, retried while MySQL is unavailable or another transaction is in the way."""
    deadline = time.monotonic() + RESTORE_SECONDS
    while True:
        try:
            return work()
        except (pymysql.Error, OSError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
