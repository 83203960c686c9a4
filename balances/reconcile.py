"""Compares what Balances answers with what the wallet holds, over HTTP, while both go on working.

A difference may be an event under way. Wrong is only what stands still: the same on both sides in two readings
between which everything that was under way has arrived.
"""

import time
from dataclasses import dataclass, field
from decimal import Decimal
from heapq import merge
from itertools import groupby, islice
from operator import itemgetter
from typing import NamedTuple
from urllib.parse import quote

from balances.messages import TOPICS
from common.json_api import number
from common.ops import NoAnswer

PAGE = 1000
SUSPECTS = 500  # differing accounts that are judged together; after so many wrong ones it ends
TRIES = 4
APART_SECONDS = 5
ARRIVAL_SECONDS = 20
LOG_END_SECONDS = 3  # Balances asks for the end of its log every 2 s
FOLLOW_SECONDS = 1
LISTED = 20
LOOK_SECONDS = 0.2
SAY_SECONDS = 5


class Reading(NamedTuple):
    """An account as both sides tell it; None where one does not know it."""

    held: Decimal | None  # by the wallet
    balance: Decimal | None
    updated_at: str | None

    @property
    def kind(self):
        if self.held is None:
            return "orphan"
        return "missing" if self.balance is None else "differs"

    def __str__(self):
        held = "does not know it" if self.held is None else f"holds {number(self.held)}"
        balance = "does not know it" if self.balance is None else f"says {number(self.balance)}"
        return f"{self.kind}: the wallet {held}, Balances {balance}"


@dataclass
class Report:
    accounts: int = 0
    balances: int = 0
    wrong: dict = field(default_factory=dict)  # account id -> Reading
    unsettled: dict = field(default_factory=dict)
    complete: bool = True

    @property
    def verdict(self):
        return "wrong" if self.wrong else "unsettled" if self.unsettled else "right"

    def sentences(self):
        """What there is to say, a line each, the verdict last."""
        differences = list(self._differences())
        for verdict, account_id, reading in differences[:LISTED]:
            yield f"{verdict}: {account_id}: {reading}"
        if len(differences) > LISTED:
            yield f"and {len(differences) - LISTED} more, which --json lists"
        end = "" if self.complete else "; it ends here, the rest was not compared"
        yield f"{self.accounts} accounts of the wallet and {self.balances} balances compared{end}"
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
                    "wallet": reading.held,
                    "balances": reading.balance,
                    "updated_at": reading.updated_at,
                }
                for verdict, account_id, reading in self._differences()
            ],
        }

    def _differences(self):
        for verdict, readings in (("wrong", self.wrong), ("unsettled", self.unsettled)):
            for account_id, reading in readings.items():
                yield verdict, account_id, reading


def compare(wallet, balances, say, clock=time):
    """Give the Report. Memory is bounded: after SUSPECTS wrong accounts it ends, incomplete.

    Raises NoAnswer when a service is away, or is not the one it is taken for.
    """
    report = Report()
    differing = _differing(wallet, balances, report, say, clock)
    while suspects := dict.fromkeys(islice(differing, SUSPECTS)):  # each once, in order
        _judge(suspects, wallet, balances, report, clock)
        _count(suspects, report)
        if len(report.wrong) + len(report.unsettled) >= SUSPECTS:
            report.complete = False
            break
    return report


def _differing(wallet, balances, report, say, clock):
    """The ids of the accounts that differ at first sight; counts the others."""
    say_at = clock.monotonic() + SAY_SECONDS
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
            say_at = clock.monotonic() + SAY_SECONDS
            say(f"{report.accounts} accounts compared")


def _judge(suspects, wallet, balances, report, clock):
    known = _readings(suspects, wallet, balances)
    for _ in range(TRIES):
        if not known:
            return
        arrived = _has_arrived(wallet, balances, clock)
        earlier, known = known, _readings(known, wallet, balances)
        for account_id, reading in list(known.items()):
            if reading != earlier[account_id]:
                if _follows(account_id, wallet, balances, clock):
                    del known[account_id]
            elif arrived:
                report.wrong[account_id] = known.pop(account_id)
    report.unsettled.update(known)


def _count(suspects, report):
    for account_id in suspects:
        reading = report.wrong.get(account_id) or report.unsettled.get(account_id)  # neither: it was found right
        report.accounts += reading is None or reading.held is not None
        report.balances += reading is None or reading.balance is not None


def _readings(account_ids, wallet, balances):
    """{account id: Reading} of those that differ."""
    readings = ((account_id, _read(account_id, wallet, balances)) for account_id in account_ids)
    return {
        account_id: reading
        for account_id, reading in readings
        if reading.held is None or reading.held != reading.balance
    }


def _read(account_id, wallet, balances):
    return Reading(wallet.held(account_id), *balances.row(account_id))


def _follows(account_id, wallet, balances, clock):
    """Whether Balances tells, of an account that does not rest, what the wallet was seen to hold a moment ago.

    Balances are absolute: one that was right a moment ago is right but for what is under way.
    """
    seen, until = set(), clock.monotonic() + FOLLOW_SECONDS
    while clock.monotonic() < until:
        reading = _read(account_id, wallet, balances)
        seen.add(reading.held)
        if reading.balance is not None and reading.balance in seen:
            return True
    return False


def _has_arrived(wallet, balances, clock):
    """Wait for APART_SECONDS and for all that is under way now; False if that takes more than ARRIVAL_SECONDS."""
    started = clock.monotonic()

    def within_time(condition):
        while (waited := clock.monotonic() - started) < ARRIVAL_SECONDS:
            if condition(waited):
                return True
            clock.sleep(LOOK_SECONDS)
        return False

    # Transfers go on, so the outbox need not be empty, nor the lag 0: it is enough that nothing in it is older.
    if not within_time(lambda waited: wallet.oldest_seconds() < waited):
        return False
    clock.sleep(LOG_END_SECONDS)
    ends = {partition: end for partition, (_, end) in balances.partitions().items()}
    if not {topic for topic, _ in ends} >= set(TOPICS):
        return False

    def consumed(waited):
        now = balances.partitions()
        return waited >= APART_SECONDS and all(tp in now and now[tp][0] >= end for tp, end in ends.items())

    return within_time(consumed)


class Wallet:
    """The wallet, for which a common.ops.Service answers."""

    def __init__(self, service):
        self._service = service

    def accounts(self):
        """(account id, "wallet", balance) of every account, in the order of the ids."""
        return ((each["id"], "wallet", each["balance"]) for each in _all(self._service, "accounts"))

    def held(self, account_id):
        """What the account holds, or None."""
        return _one(self._service, f"/accounts/{quote(account_id, safe='')}").get("balance")

    def oldest_seconds(self):
        """How long the oldest event has waited in the outbox, 0 when it is empty."""
        return _ready(self._service, "outbox_oldest_seconds")["outbox_oldest_seconds"]


class Balances:
    """Balances, for which Services answer: of several instances each knows the partitions that it follows."""

    def __init__(self, services):
        self._services = services

    def balances(self):
        """(account id, "balances", balance) of every row, in the order of the ids."""
        return ((each["account_id"], "balances", each["balance"]) for each in _all(self._services[0], "balances"))

    def row(self, account_id):
        """(balance, updated at), or None for both."""
        row = _one(self._services[0], f"/balances/{quote(account_id, safe='')}")
        return row.get("balance"), row.get("updated_at")

    def partitions(self):
        """{(topic, partition): (position, end of the log)} of those that are followed while Kafka answers."""
        return {
            (each["topic"], each["partition"]): (each["position"], each["position"] + each["lag"])
            for service in self._services
            if (facts := _ready(service, "kafka", "partitions"))["kafka"] == "up"
            for each in facts["partitions"]
        }

    def announce_needed(self):
        """Whether Balances says that it lost something unread."""
        return _ready(self._services[0], "announce_needed")["announce_needed"]


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
