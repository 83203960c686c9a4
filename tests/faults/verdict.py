"""The promises, checked against both databases and the topics once everything is quiet."""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from tests.faults.clients import Broken, State, Transfer
from tests.faults.ledger import Ledger
from tests.faults.system import System

THREADS_MORE, FILES_MORE, MEMORY_MORE = 3, 60, 40 * 1024 * 1024
CONNECTIONS = 16 + 3  # of a service: one for each thread of its server and its worker, and one that is just being left


class Verdict:
    """Of one system, over all its rounds: what was stored in one must still be there in the next."""

    def __init__(self, system: System) -> None:
        """Begins while nothing is in flight."""
        self._system, self.ledger = system, Ledger(system, ordered=system.one_server)
        self._before = {row[0] for row in system.rows("wallet", "SELECT id FROM transactions")}
        self._history: dict[str | None, Transfer] = {}  # by id, of all rounds
        self._total = sum(self.ledger.balances.values())
        self._usual: dict[str, tuple[int, int, int]] = {}

    def check(self, history: Iterable[Transfer], readings: Collection[State]) -> None:
        """Raise Broken unless every promise was kept to these transfers and readings."""
        stored = [transfer for transfer in history if transfer.id]
        if len({transfer.id for transfer in stored}) != len(stored):
            raise Broken("two keys were answered with the same transfer")
        self._history.update((transfer.id, transfer) for transfer in stored)
        self.ledger.read()
        self._check_transactions()
        self._check_balances()
        _none("was read, and never was so", set(readings) - self.ledger.states)
        _none("was parked", self._system.rows("balances", "SELECT topic, record_offset, error FROM dead_letters"))
        self._check_processes()

    def _check_transactions(self) -> None:
        rows = {
            row[0]: row[1:]
            for row in self._system.rows(
                "wallet", "SELECT id, account_id_from, account_id_to, amount FROM transactions"
            )
            if row[0] not in self._before
        }
        published = self.ledger.transactions
        _none("was answered 201 and is not stored", self._history.keys() - rows.keys())
        _none("is stored and was never answered 201 (refused, or stored twice)", rows.keys() - self._history.keys())
        _none("is stored and not on the topic", rows.keys() - published.keys())
        _none("is on the topic and not stored", published.keys() - rows.keys())
        for each, row in rows.items():
            asked, event = self._history[each], published[each]
            if not (asked.source, asked.target, asked.amount) == row == event[1:] or event.sequence != asked.sequence:
                raise Broken(f"transaction {each}: requested {asked}, stored {row}, published {event}")

    def _check_balances(self) -> None:
        accounts = dict(self._system.rows("wallet", "SELECT id, balance FROM accounts"))
        projected = self._system.rows("balances", "SELECT account_id, balance, sequence FROM balances")
        if sum(accounts.values()) != self._total:
            raise Broken(f"there is {sum(accounts.values())} in all accounts, and was {self._total}")
        _none("differs between wallet and ledger (account, balance)", accounts.items() ^ self.ledger.balances.items())
        balances = {account: balance for account, balance, _ in projected}
        _none("differs between wallet and balances (account, balance)", accounts.items() ^ balances.items())
        sequences = {(account, sequence) for account, _, sequence in projected if sequence}
        _none("differs in its sequence", self.ledger.sequences.items() - sequences)

    def note_usual(self) -> None:
        """What the processes use now, under no fault, is what they may use later."""
        self._usual = {name.split("-")[0]: self._usage(name) for name in self._system.services()}

    def summary(self) -> str:
        return f"{len(self._history)} transfers stored"

    def _check_processes(self) -> None:
        for name in self._system.services():
            for what, now, usual, more in zip(
                ("threads", "open files", "bytes of memory"),
                self._usage(name),
                self._usual[name.split("-")[0]],
                (THREADS_MORE, FILES_MORE, MEMORY_MORE),
                strict=True,
            ):
                if now > usual + more:
                    raise Broken(f"{name} has {now} {what}; usual are {usual}")
        for kind in ("wallet", "balances"):
            connections = self._system.connections(kind)
            if connections > CONNECTIONS * len(self._system.services(kind)):
                raise Broken(f"{kind} keeps {connections} connections to MySQL")

    def _usage(self, name: str) -> tuple[int, int, int]:
        process = Path(f"/proc/{self._system.pid(name)}")
        status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
        return int(status["Threads"]), len(list((process / "fd").iterdir())), int(status["VmRSS"].split()[0]) * 1024


def _none(what: str, offenders: Collection[Any]) -> None:
    if offenders:
        shown = ", ".join(map(str, sorted(offenders)[:5]))
        raise Broken(f"{len(offenders)} {what}: {shown}")
