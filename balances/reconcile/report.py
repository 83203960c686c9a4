"""The result of a comparison, as sentences and as JSON."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from common.json_text import number

LISTED = 20  # differences in the sentences; JSON has all of them


class Reading(NamedTuple):
    """The balance of one account in both services; None in a service that has no such account."""

    wallet_balance: Decimal | None
    balance: Decimal | None
    updated_at: str | None

    @property
    def is_equal(self) -> bool:
        return self.wallet_balance is not None and self.wallet_balance == self.balance

    @property
    def kind(self) -> str:
        if self.wallet_balance is None:
            return "unexpected account"
        return "missing" if self.balance is None else "differs"

    def __str__(self) -> str:
        return f"{self.kind}: Wallet has {_amount(self.wallet_balance)}, Balances has {_amount(self.balance)}"


@dataclass
class Report:
    accounts: int = 0  # of Wallet, compared so far
    balances: int = 0  # of Balances, compared so far
    inconsistent: dict[str, Reading] = field(default_factory=dict)  # by account id
    in_progress: dict[str, Reading] = field(default_factory=dict)
    complete: bool = True
    consumed: bool = True  # Balances applied all records that Kafka had

    @property
    def verdict(self) -> str:
        if self.inconsistent:
            return "inconsistent"
        if self.in_progress:
            return "in_progress"
        return "consistent" if self.consumed else "unknown"

    @property
    def differences(self) -> int:
        return len(self.inconsistent) + len(self.in_progress)

    def count(self, reading: Reading | None) -> None:
        """Count one account; None for one that is equal in both services."""
        self.accounts += reading is None or reading.wallet_balance is not None
        self.balances += reading is None or reading.balance is not None

    def sentences(self) -> Iterator[str]:
        """One line for each difference, up to LISTED, then the totals and the verdict."""
        for number_of_line, (verdict, account_id, reading) in enumerate(self._differences()):
            if number_of_line < LISTED:
                yield f"{verdict}: {account_id}: {reading}"
        if self.differences > LISTED:
            yield f"and {self.differences - LISTED} more; --json lists all"
        stopped = "" if self.complete else "; stopped early, the other accounts were not compared"
        yield f"compared {self.accounts} accounts of Wallet with {self.balances} balances{stopped}"
        if not self.consumed:
            yield "Balances does not apply the records in Kafka; see consumer, lag, stalled and problems in /ready"
        yield self.verdict

    def facts(self) -> dict[str, Any]:
        """The report as a JSON object."""
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

    def _differences(self) -> Iterator[tuple[str, str, Reading]]:
        for verdict, readings in (("inconsistent", self.inconsistent), ("in_progress", self.in_progress)):
            for account_id, reading in readings.items():
                yield verdict, account_id, reading


def _amount(balance: Decimal | None) -> str:
    return "no such account" if balance is None else str(number(balance))
