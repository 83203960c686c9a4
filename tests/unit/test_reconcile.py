"""Reconcile against a Wallet and a Balances of a few lines. Their clock moves only during requests and waits."""

import random
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest

from balances.reconcile.compare import RECHECK_SECONDS, SUSPECTS, compare
from balances.reconcile.report import Reading, Report
from balances.reconcile.sources import Listed, Wallet
from common.service_client import ServiceClient, UpstreamError


def test_equal_balances_are_consistent() -> None:
    world = World({"a": 900, "b": 1100})

    report = compared(world)

    assert (report.verdict, report.accounts, report.balances) == ("consistent", 2, 2)
    assert world.seconds < RECHECK_SECONDS  # there was no second reading


def test_a_balance_that_stays_different_is_inconsistent() -> None:
    world = World({"a": 900, "b": 1100})
    world.rows["b"] = (Decimal(1000), "long ago")

    report = compared(world)

    assert report.verdict == "inconsistent"
    assert report.inconsistent == {"b": Reading(Decimal(1100), Decimal(1000), "long ago")}
    assert world.seconds >= RECHECK_SECONDS
    assert list(report.sentences()) == [
        "inconsistent: b: differs: Wallet has 1100, Balances has 1000",
        "compared 2 accounts of Wallet with 2 balances",
        "inconsistent",
    ]


def test_an_account_without_balance_and_a_balance_without_account_are_inconsistent() -> None:
    world = World({"a": 900, "b": 1100})
    world.rows["unexpected"] = world.rows.pop("a")

    report = compared(world)

    assert {account_id: reading.kind for account_id, reading in report.inconsistent.items()} == {
        "a": "missing",
        "unexpected": "unexpected account",
    }
    assert [each["wallet"] for each in report.facts()["differences"]] == [900, None]


def test_an_event_in_flight_is_waited_for() -> None:
    world = World({"a": 900}, relay_seconds=2, consumer_seconds=2)
    world.set("a", 800)

    report = compared(world)

    assert report.verdict == "consistent"


def test_an_account_that_changes_all_the_time_is_consistent_if_balances_follows() -> None:
    world = World({"a": 0, "b": 0}, busy=["a"], transfers_a_second=50, different_balances=1_000_000, relay_seconds=0.2)

    report = compared(world)

    assert report.verdict == "consistent"


def test_an_inconsistent_balance_is_found_while_transfers_continue() -> None:
    world = World({"a": 0, "b": 0}, busy=["a"], transfers_a_second=50)
    world.rows["b"] = (Decimal(1), "long ago")

    report = compared(world)

    assert set(report.inconsistent) == {"b"}
    assert not report.in_progress


@pytest.mark.parametrize("stopped", ["relay_seconds", "consumer_seconds"])
def test_nothing_is_inconsistent_while_the_relay_or_the_consumer_has_stopped(stopped: str) -> None:
    world = World({"a": 900}, **{stopped: 1_000_000})
    world.set("a", 800)

    report = compared(world)

    assert report.verdict == "in_progress"
    assert report.in_progress == {"a": Reading(Decimal(800), Decimal(900), "at first")}


def test_nothing_is_inconsistent_while_no_process_consumes() -> None:
    world = World({"a": 900})
    world.rows["a"] = (Decimal(1000), "long ago")
    world.consumed = False

    report = compared(world)

    assert report.verdict == "in_progress"


def test_equal_balances_are_unknown_while_no_process_consumes() -> None:
    world = World({"a": 900, "b": 1100})
    world.consumed = False

    report = compared(world)

    assert report.verdict == "unknown"
    assert "Balances does not apply the records in Kafka" in list(report.sentences())[-2]


def test_an_account_opened_between_the_two_lists_is_expected() -> None:
    world = World({"a": 900})
    before = list(world.accounts())
    world.wallet_balances["b"], world.rows["b"] = Decimal(0), (Decimal(0), "just now")
    world.accounts = lambda: iter(before)  # type: ignore[method-assign]

    report = compared(world)

    assert (report.verdict, report.accounts, report.balances) == ("consistent", 2, 2)


def test_a_balance_that_arrives_during_the_wait_is_counted() -> None:
    world = World({"a": 900, "b": 1100})
    world.balances = lambda: iter([])

    report = compared(world)

    assert (report.verdict, report.accounts, report.balances) == ("consistent", 2, 2)


def test_accounts_listed_in_another_order_are_read_one_by_one() -> None:
    world = World({"a": 900, "b": 1100, "c": 1})
    world.accounts = lambda: iter([listed("b", 1100), listed("c", 1), listed("a", 900)])

    report = compared(world)

    assert (report.verdict, report.accounts, report.balances) == ("consistent", 3, 3)


def test_after_so_many_differences_the_comparison_stops() -> None:
    world = World({f"{number:06}": 1 for number in range(20_000)})
    world.rows.clear()

    report = compared(world)

    assert (report.verdict, report.complete, len(report.inconsistent)) == ("inconsistent", False, SUSPECTS)
    assert report.accounts == SUSPECTS
    assert list(report.sentences())[-3:] == [
        "and 480 more; --json lists all",
        "compared 500 accounts of Wallet with 0 balances; stopped early, the other accounts were not compared",
        "inconsistent",
    ]


@pytest.mark.parametrize("seed", range(40))
def test_a_correct_read_model_is_never_inconsistent(seed: int) -> None:
    chance = random.Random(seed)
    world = World(
        {f"{number:02}": 1000 for number in range(20)},
        busy=[f"{number:02}" for number in range(chance.choice([1, 3, 20]))],
        transfers_a_second=chance.choice([0.5, 5, 100]),
        relay_seconds=chance.choice([0.01, 0.5, 4, 30]),
        consumer_seconds=chance.choice([0.01, 0.5, 4, 30]),
        chance=chance,
    )

    report = compared(world)

    assert not report.inconsistent


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (404, {"status": 404}, r"unexpected response of http://wallet/accounts: status 404$"),
        (401, {"status": 401}, r"status 401; set WALLET_TOKEN and BALANCES_TOKEN"),
        (200, {"balances": []}, r"unexpected response of http://wallet/accounts: status 200$"),
    ],
)
def test_the_response_of_another_service_is_refused(status: int, body: dict[str, Any], reason: str) -> None:
    with pytest.raises(UpstreamError, match=reason):
        list(Wallet(Responses([(status, body)])).accounts())


def test_all_pages_of_a_list_are_read() -> None:
    responses = Responses(
        [(200, {"accounts": [{"id": "a", "balance": 1}], "next": "a"}), (200, {"accounts": [], "next": None})]
    )

    assert list(Wallet(responses).accounts()) == [("a", "wallet", 1)]
    assert responses.requested == ["", "a"]


class Responses(ServiceClient):
    """A service with these responses."""

    def __init__(self, responses: list[tuple[int, dict[str, Any]]]) -> None:
        super().__init__("http://wallet")
        self.requested: list[object] = []
        self._responses = responses

    def get(self, path: str, **query: object) -> tuple[int, dict[str, Any]]:
        self.requested.append(query.get("after"))
        return self._responses.pop(0)


def listed(account_id: str, balance: int | Decimal) -> Listed:
    return Listed(account_id, "wallet", Decimal(balance))


def compared(world: "World") -> Report:
    return compare(world, world, progress=print, clock=world)


class World:
    """Wallet, Kafka, Balances and a clock in one. Each request takes 2 ms, in which transfers continue."""

    def __init__(
        self,
        wallet_balances: Mapping[str, int],
        busy: Sequence[str] = (),
        transfers_a_second: float = 0,
        different_balances: int = 5,  # so few that balances return to earlier values
        relay_seconds: float = 0.01,
        consumer_seconds: float = 0.01,
        chance: random.Random | None = None,
    ) -> None:
        self.wallet_balances = {account_id: Decimal(balance) for account_id, balance in wallet_balances.items()}
        self.rows: dict[str, tuple[Decimal, str]] = {
            account_id: (balance, "at first") for account_id, balance in self.wallet_balances.items()
        }
        self.consumed = True
        self.seconds = 0.0
        self._busy, self._transfers_a_second, self._different_balances = busy, transfers_a_second, different_balances
        self._relay_seconds, self._consumer_seconds = relay_seconds, consumer_seconds
        self._chance = chance or random.Random(1)
        self._outbox: deque[tuple[float, str, Decimal]] = deque()
        self._log: list[tuple[float, float, str, Decimal]] = []
        self._position, self._next_transfer = 0, 0.0
        self._asked_at, self._target = 0.0, (0.0, 0)
        self._caught_up_at: float | None = None

    # the clock

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        until = self.seconds + seconds
        while self.seconds < until:
            self.seconds = min(self.seconds + 0.002, until)
            self._advance()

    # the wallet

    def accounts(self) -> Iterator[Listed]:
        self.sleep(0.002)
        return iter([listed(account_id, balance) for account_id, balance in sorted(self.wallet_balances.items())])

    def balance(self, account_id: str) -> Decimal | None:
        self.sleep(0.002)
        return self.wallet_balances.get(account_id)

    def oldest_seconds(self) -> float:
        self.sleep(0.002)
        return self.seconds - self._outbox[0][0] if self._outbox else 0

    def set(self, account_id: str, balance: int) -> None:
        self.wallet_balances[account_id] = Decimal(balance)
        self._outbox.append((self.seconds, account_id, Decimal(balance)))

    # Balances

    def balances(self) -> Iterator[Listed]:
        self.sleep(0.002)
        return iter([Listed(account_id, "balances", balance) for account_id, (balance, _) in sorted(self.rows.items())])

    def row(self, account_id: str) -> tuple[Decimal | None, str | None]:
        self.sleep(0.002)
        return self.rows.get(account_id, (None, None))

    def caught_up_seconds(self) -> float | None:
        self.sleep(0.002)
        if self.seconds >= self._asked_at + 2:
            self._asked_at = self.seconds
            if self._position >= self._target[1]:
                self._caught_up_at, self._target = self._target[0], (self.seconds, len(self._log))
            if self._position == len(self._log):
                self._caught_up_at = self.seconds
        return self.seconds - self._caught_up_at if self.consumed and self._caught_up_at is not None else None

    def _advance(self) -> None:
        if self._busy and self._transfers_a_second and self.seconds >= self._next_transfer:
            self._next_transfer = self.seconds + self._chance.expovariate(self._transfers_a_second)
            self.set(self._chance.choice(self._busy), self._chance.randrange(self._different_balances))
        while self._outbox and self._outbox[0][0] + self._relay_seconds <= self.seconds:
            self._log.append((self.seconds, *self._outbox.popleft()))
        while self._position < len(self._log) and self._log[self._position][0] + self._consumer_seconds <= self.seconds:
            _, at, account_id, balance = self._log[self._position]
            self.rows[account_id] = (balance, str(at))
            self._position += 1
