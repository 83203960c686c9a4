"""Compares what Balances answers with what the wallet holds, over HTTP, while both go on working.

A difference may be an event in flight. Inconsistent is only what does not move: the same on both sides in two readings
between which everything that was in flight has been applied.
"""

import time
from dataclasses import dataclass, field
from decimal import Decimal
from heapq import merge
from itertools import groupby, islice
from operator import itemgetter
from typing import NamedTuple
from urllib.parse import quote

from common.json_text import number
from common.ops import NoAnswer

PAGE = 1000
SUSPECTS = 500  # differing accounts that are judged together; after so many inconsistent ones it ends
TRIES = 4
RECHECK_SECONDS = 5
CAUGHT_UP_SECONDS = 20
MOVE_SECONDS = 1
LISTED = 20
POLL_INTERVAL_SECONDS = 0.2
PROGRESS_SECONDS = 5


class Reading(NamedTuple):
    """An account as both sides tell it; None where one does not know it."""

    wallet_balance: Decimal | None
    balance: Decimal | None
    updated_at: str | None

    @property
    def kind(self):
        if self.wallet_balance is None:
            return "unexpected account"
        return "missing" if self.balance is None else "differs"

    def __str__(self):
        wallet = "does not know it" if self.wallet_balance is None else f"has {number(self.wallet_balance)}"
        balances = "does not know it" if self.balance is None else f"has {number(self.balance)}"
        return f"{self.kind}: the wallet {wallet}, Balances {balances}"


@dataclass
class Report:
    accounts: int = 0
    balances: int = 0
    inconsistent: dict[str, Reading] = field(default_factory=dict)  # by account id
    in_progress: dict[str, Reading] = field(default_factory=dict)
    complete: bool = True
    consumed: bool = True  # Balances was seen to apply all that Kafka held

    @property
    def verdict(self):
        if self.inconsistent:
            return "inconsistent"
        if self.in_progress:
            return "in_progress"
        return "consistent" if self.consumed else "unknown"

    def sentences(self):
        """What there is to say, a line each, the verdict last."""
        differences = list(self._differences())
        for verdict, account_id, reading in differences[:LISTED]:
            yield f"{verdict}: {account_id}: {reading}"
        if len(differences) > LISTED:
            yield f"and {len(differences) - LISTED} more, which --json lists"
        end = "" if self.complete else "; it ends here, the rest was not compared"
        yield f"{self.accounts} accounts of the wallet and {self.balances} balances compared{end}"
        if not self.consumed:
            yield "Balances does not apply the events that Kafka holds: see /ready (consumer, lag, stalled, problems)"
        yield self.verdict

    def facts(self):
        """The same for programs, as JSON can hold it."""
        return {
            "verdict": self.verdict,
            "accounts": self.accounts,
            "balances": self.balances,
            "complete": self.complete,
            "differences": [
                {
                    "account_id": account_id,
                    "verdict": verdict,
                    "kind": reading.kind,
                    "wallet": reading.wallet_balance,
                    "balances": reading.balance,
                    "updated_at": reading.updated_at,
                }
                for verdict, account_id, reading in self._differences()
            ],
        }

    def _differences(self):
        for verdict, readings in (("inconsistent", self.inconsistent), ("in_progress", self.in_progress)):
            for account_id, reading in readings.items():
                yield verdict, account_id, reading


def compare(wallet, balances, say, clock=time):
    """Give the Report. Memory is bounded: after SUSPECTS inconsistent accounts it ends, incomplete.

    Raises NoAnswer when a service is unavailable, or is not the expected one.
    """
    report = Report()
    differing = _differing(wallet, balances, report, say, clock)
    while suspects := dict.fromkeys(islice(differing, SUSPECTS)):  # each once, in order
        _judge(suspects, wallet, balances, report, clock)
        _count(suspects, report)
        if len(report.inconsistent) + len(report.in_progress) >= SUSPECTS:
            report.complete = False
            break
    if not (report.inconsistent or report.in_progress):
        # Equal rows say nothing while nothing is consumed: the next transfer would not arrive.
        report.consumed = _caught_up(wallet, balances, clock, at_least=0)
    return report


def _differing(wallet, balances, report, say, clock):
    """The ids of the accounts that differ at first sight; counts the others."""
    say_at = clock.monotonic() + PROGRESS_SECONDS
    # Should MySQL's order not be Python's for some odd id, the account is a suspect, no more.
    both = merge(wallet.accounts(), balances.balances(), key=itemgetter(0))
    for account_id, sides in groupby(both, key=itemgetter(0)):
        known = {side: balance for _, side, balance in sides}
        if len(known) < 2 or known["wallet"] != known["balances"]:
            yield account_id
        else:
            report.accounts += 1
            report.balances += 1
        if clock.monotonic() >= say_at:
            say_at = clock.monotonic() + PROGRESS_SECONDS
            say(f"{report.accounts} accounts compared")


def _judge(suspects, wallet, balances, report, clock):
    known = _readings(suspects, wallet, balances)
    for _ in range(TRIES):
        if not known:
            return
        caught_up = _caught_up(wallet, balances, clock)
        earlier, known = known, _readings(known, wallet, balances)
        for account_id, reading in list(known.items()):
            if reading != earlier[account_id]:
                if _moves_along(account_id, wallet, balances, clock):
                    del known[account_id]
            elif caught_up:
                report.inconsistent[account_id] = known.pop(account_id)
    report.in_progress.update(known)


def _count(suspects, report):
    for account_id in suspects:
        reading = report.inconsistent.get(account_id) or report.in_progress.get(
            account_id
        )  # neither: it was found consistent
        report.accounts += reading is None or reading.wallet_balance is not None
        report.balances += reading is None or reading.balance is not None


def _readings(account_ids, wallet, balances):
    """{account id: Reading} of those that differ."""
    readings = ((account_id, _read(account_id, wallet, balances)) for account_id in account_ids)
    return {
        account_id: reading
        for account_id, reading in readings
        if reading.wallet_balance is None or reading.wallet_balance != reading.balance
    }


def _read(account_id, wallet, balances):
    return Reading(wallet.balance(account_id), *balances.row(account_id))


def _moves_along(account_id, wallet, balances, clock):
    """Whether Balances has, of an account that changes all the time, what the wallet had a moment ago.

    Balances are absolute: one that was equal a moment ago is consistent but for what is in flight.
    """
    seen, until = set(), clock.monotonic() + MOVE_SECONDS
    while clock.monotonic() < until:
        reading = _read(account_id, wallet, balances)
        seen.add(reading.wallet_balance)
        if reading.balance is not None and reading.balance in seen:
            return True
    return False


def _caught_up(wallet, balances, clock, at_least=RECHECK_SECONDS):
    """Wait for `at_least` seconds and for all that is in flight now; False if that takes more than
    CAUGHT_UP_SECONDS."""
    started = clock.monotonic()

    def within_time(condition):
        while (waited := clock.monotonic() - started) < CAUGHT_UP_SECONDS:
            if condition(waited):
                return True
            clock.sleep(POLL_INTERVAL_SECONDS)
        return False

    # Transfers go on, so the outbox need not be empty, nor the lag 0: it is enough that nothing in it is older.
    if not within_time(lambda waited: wallet.oldest_seconds() < waited):
        return False
    sent = clock.monotonic()

    def applied(waited):
        seconds = balances.caught_up_seconds()
        return waited >= at_least and seconds is not None and seconds < clock.monotonic() - sent

    return within_time(applied)


class Wallet:
    """The wallet, for which a common.ops.Service answers."""

    def __init__(self, service):
        self._service = service

    def accounts(self):
        """(account id, "wallet", balance) of every account, in the order of the ids."""
        return ((each["id"], "wallet", each["balance"]) for each in _all(self._service, "accounts"))

    def balance(self, account_id):
        """The balance of the account, or None."""
        return _one(self._service, f"/accounts/{quote(account_id, safe='')}").get("balance")

    def oldest_seconds(self):
        """How long the oldest event has waited in the outbox, 0 when it is empty."""
        return _ready(self._service, "outbox_oldest_seconds")["outbox_oldest_seconds"]


class Balances:
    """Balances, for which Services answer; each knows how far all partitions are."""

    def __init__(self, services):
        self._services = services

    def balances(self):
        """(account id, "balances", balance) of every row, in the order of the ids."""
        return ((each["account_id"], "balances", each["balance"]) for each in _all(self._services[0], "balances"))

    def row(self, account_id):
        """(balance, updated at), or None for both."""
        row = _one(self._services[0], f"/balances/{quote(account_id, safe='')}")
        return row.get("balance"), row.get("updated_at")

    def caught_up_seconds(self):
        """All that Kafka held so many seconds ago is applied; None where that is not known."""
        return _ready(self._services[0], "caught_up_seconds")["caught_up_seconds"]

    def announce_required(self):
        """Whether Balances reports that it lost records unread."""
        return _ready(self._services[0], "announce_required")["announce_required"]


def _all(service, name):
    after = ""
    while after is not None:
        status, body = service.ask(f"/{name}", after=after, limit=PAGE)
        _expect(service, status == 200 and name in body, f"/{name}", status)
        yield from body[name]
        after = body["next"]


def _one(service, path):
    """The body, empty when there is none such."""
    status, body = service.ask(path)
    _expect(service, status == 404 or (status == 200 and "balance" in body), path, status)
    return body if status == 200 else {}


def _ready(service, *names):
    status, body = service.ask("/ready")
    _expect(service, all(name in body for name in names), "/ready", status)
    return body


def _expect(service, fulfilled, path, status):
    if not fulfilled:
        hint = " (WALLET_TOKEN and BALANCES_TOKEN are sent where set)" if status == 401 else ""
        raise NoAnswer(f"{service.url}{path} does not answer as expected, with status {status}{hint}")
