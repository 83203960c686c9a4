"""Compares the balances of Balances with those of Wallet, while both services are in use.

A difference may be an event in flight. A balance is inconsistent only if nothing changes: it is the same in two
readings between which everything that was in flight was applied.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from heapq import merge
from itertools import groupby, islice
from operator import attrgetter
from typing import Protocol

from balances.reconcile.report import Reading, Report
from balances.reconcile.sources import BalancesSource, WalletSource

SUSPECTS = 500  # accounts that are checked together; after as many differences the comparison stops
TRIES = 4
RECHECK_SECONDS = 5
CAUGHT_UP_SECONDS = 20
CHANGING_SECONDS = 1
POLL_INTERVAL_SECONDS = 0.2
PROGRESS_SECONDS = 5


class Clock(Protocol):
    def monotonic(self) -> float: ...

    def sleep(self, seconds: float, /) -> None: ...


def compare(
    wallet: WalletSource, balances: BalancesSource, progress: Callable[[str], object], clock: Clock = time
) -> Report:
    """Compare all accounts; `progress(sentence)` is called every PROGRESS_SECONDS.

    Memory is bounded: after SUSPECTS differences the report is incomplete. Raises UpstreamError.
    """
    return _Comparison(wallet, balances, progress, clock).run()


class _Comparison:
    def __init__(
        self, wallet: WalletSource, balances: BalancesSource, progress: Callable[[str], object], clock: Clock
    ) -> None:
        self._wallet = wallet
        self._balances = balances
        self._progress = progress
        self._clock = clock
        self._report = Report()

    def run(self) -> Report:
        report, listed = self._report, self._listed_differently()
        while suspects := dict.fromkeys(islice(listed, SUSPECTS)):  # each once, in order
            self._check(suspects)
            if report.differences >= SUSPECTS:
                report.complete = False
                break
        if not report.differences:
            # Equal balances prove nothing if the consumer has stopped: the next event would not be applied.
            report.consumed = self._catches_up(at_least=0)
        return report

    def _listed_differently(self) -> Iterator[str]:
        """The ids of the accounts that differ in the lists. Counts the others."""
        progress_at = self._clock.monotonic() + PROGRESS_SECONDS
        # MySQL and Python may order an unusual id differently. Its account is then a suspect, no more.
        both = merge(self._wallet.accounts(), self._balances.balances(), key=attrgetter("account_id"))
        for account_id, listed in groupby(both, key=attrgetter("account_id")):
            known = {each.source: each.balance for each in listed}
            if len(known) < 2 or known["wallet"] != known["balances"]:
                yield account_id
            else:
                self._report.count(None)
            if self._clock.monotonic() >= progress_at:
                progress_at = self._clock.monotonic() + PROGRESS_SECONDS
                self._progress(f"{self._report.accounts} accounts compared")

    def _check(self, suspects: Iterable[str]) -> None:
        """Read the suspects again until each is found equal, inconsistent, or still in progress after TRIES."""
        suspects = list(suspects)
        different = self._different(suspects)
        for _ in range(TRIES):
            if not different:
                break
            caught_up = self._catches_up(at_least=RECHECK_SECONDS)
            earlier, different = different, self._different(different)
            for account_id, reading in list(different.items()):
                if reading != earlier[account_id]:
                    if self._follows_changes(account_id):
                        del different[account_id]
                elif caught_up:
                    self._report.inconsistent[account_id] = different.pop(account_id)
        self._report.in_progress.update(different)
        for account_id in suspects:
            self._report.count(self._report.inconsistent.get(account_id) or different.get(account_id))

    def _different(self, account_ids: Iterable[str]) -> dict[str, Reading]:
        readings = ((account_id, self._read(account_id)) for account_id in account_ids)
        return {account_id: reading for account_id, reading in readings if not reading.is_equal}

    def _read(self, account_id: str) -> Reading:
        return Reading(self._wallet.balance(account_id), *self._balances.row(account_id))

    def _follows_changes(self, account_id: str) -> bool:
        """Whether Balances has a value that Wallet had a moment ago, for an account that changes all the time.

        Balances are absolute values: such an account is consistent except for the events in flight.
        """
        seen: set[Decimal | None] = set()
        until = self._clock.monotonic() + CHANGING_SECONDS
        while self._clock.monotonic() < until:
            reading = self._read(account_id)
            seen.add(reading.wallet_balance)
            if reading.balance is not None and reading.balance in seen:
                return True
        return False

    def _catches_up(self, at_least: float) -> bool:
        """Wait `at_least` so many seconds, and until everything that is in flight now is applied.

        Returns False after CAUGHT_UP_SECONDS.
        """
        started = self._clock.monotonic()

        def within_time(condition: Callable[[float], bool]) -> bool:
            while (waited := self._clock.monotonic() - started) < CAUGHT_UP_SECONDS:
                if condition(waited):
                    return True
                self._clock.sleep(POLL_INTERVAL_SECONDS)
            return False

        # Transfers continue, so the outbox may never be empty: its oldest event must be newer than this wait.
        if not within_time(lambda waited: self._wallet.oldest_seconds() < waited):
            return False
        sent = self._clock.monotonic()

        def applied(waited: float) -> bool:
            seconds = self._balances.caught_up_seconds()
            return waited >= at_least and seconds is not None and seconds < self._clock.monotonic() - sent

        return within_time(applied)
