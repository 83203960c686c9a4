"""Reconcile against a wallet and a Balances of a few lines, on a clock that moves when it is waited for."""

import random
from collections import deque
from decimal import Decimal

import pytest

from balances import reconcile
from balances.reconcile import Reading, compare


def test_equal_sides_are_right():
    world = World({"a": 900, "b": 1100})

    report = judged(world)

    assert (report.verdict, report.accounts, report.balances) == ("consistent", 2, 2)
    assert world.seconds < reconcile.RECHECK_SECONDS  # no second reading


def test_a_balance_that_stays_another_is_wrong():
    world = World({"a": 900, "b": 1100})
    world.rows["b"] = (Decimal(1000), "long ago")

    report = judged(world)

    assert report.verdict == "inconsistent"
    assert report.inconsistent == {"b": Reading(1100, 1000, "long ago")}
    assert world.seconds >= reconcile.RECHECK_SECONDS
    assert list(report.sentences()) == [
        "inconsistent: b: differs: the wallet has 1100, Balances has 1000",
        "2 accounts of the wallet and 2 balances compared",
        "inconsistent",
    ]


def test_an_account_without_balance_and_a_balance_without_account_are_wrong():
    world = World({"a": 900, "b": 1100})
    world.rows["unexpected"] = world.rows.pop("a")

    report = judged(world)

    assert {account_id: reading.kind for account_id, reading in report.inconsistent.items()} == {
        "a": "missing",
        "unexpected": "unexpected account",
    }
    assert [each["wallet"] for each in report.facts()["differences"]] == [900, None]


def test_an_event_under_way_is_waited_for():
    world = World({"a": 900}, relay_seconds=2, consumer_seconds=2)
    world.set("a", 800)

    report = judged(world)

    assert report.verdict == "consistent"


def test_an_account_that_never_rests_is_right_when_balances_follows_it():
    world = World({"a": 0, "b": 0}, busy=["a"], transfers_a_second=50, different_balances=1_000_000, relay_seconds=0.2)

    report = judged(world)

    assert report.verdict == "consistent"


def test_a_wrong_balance_is_found_though_transfers_never_cease():
    world = World({"a": 0, "b": 0}, busy=["a"], transfers_a_second=50)
    world.rows["b"] = (Decimal(1), "long ago")

    report = judged(world)

    assert set(report.inconsistent) == {"b"}
    assert not report.in_progress


@pytest.mark.parametrize("stopped", ["relay_seconds", "consumer_seconds"])
def test_nothing_is_wrong_while_the_road_is_blocked(stopped):
    world = World({"a": 900}, **{stopped: 1_000_000})
    world.set("a", 800)

    report = judged(world)

    assert report.verdict == "in_progress"
    assert report.in_progress == {"a": Reading(800, 900, "at first")}


def test_nothing_is_wrong_while_nobody_follows_a_topic():
    world = World({"a": 900})
    world.rows["a"] = (Decimal(1000), "long ago")
    world.consumed = False

    report = judged(world)

    assert report.verdict == "in_progress"


def test_equal_sides_are_unknown_while_nobody_consumes():
    world = World({"a": 900, "b": 1100})
    world.consumed = False

    report = judged(world)

    assert report.verdict == "unknown"
    assert "Balances does not apply the events that Kafka holds" in list(report.sentences())[-2]


def test_an_account_opened_between_the_two_lists_is_no_orphan():
    world = World({"a": 900})
    listed = list(world.accounts())
    world.held_now["b"], world.rows["b"] = Decimal(0), (Decimal(0), "just now")
    world.accounts = lambda: iter(listed)

    report = judged(world)

    assert (report.verdict, report.accounts, report.balances) == ("consistent", 2, 2)


def test_a_balance_that_comes_while_it_is_waited_for_is_counted():
    world = World({"a": 900, "b": 1100})
    world.balances = lambda: iter([])

    report = judged(world)

    assert (report.verdict, report.accounts, report.balances) == ("consistent", 2, 2)


def test_accounts_listed_in_another_order_are_looked_at_one_by_one():
    world = World({"a": 900, "b": 1100, "c": 1})
    world.accounts = lambda: iter([("b", "wallet", 1100), ("c", "wallet", 1), ("a", "wallet", 900)])

    report = judged(world)

    assert (report.verdict, report.accounts, report.balances) == ("consistent", 3, 3)


def test_after_so_many_wrong_ones_it_ends_without_reading_the_rest():
    world = World({f"{number:06}": 1 for number in range(20_000)})
    world.rows.clear()

    report = judged(world)

    assert (report.verdict, report.complete, len(report.inconsistent)) == ("inconsistent", False, reconcile.SUSPECTS)
    assert report.accounts == reconcile.SUSPECTS
    assert list(report.sentences())[-3:] == [
        "and 480 more, which --json lists",
        "500 accounts of the wallet and 0 balances compared; it ends here, the rest was not compared",
        "inconsistent",
    ]


@pytest.mark.parametrize("seed", range(40))
def test_a_true_read_model_is_never_called_wrong(seed):
    chance = random.Random(seed)
    world = World(
        {f"{number:02}": 1000 for number in range(20)},
        busy=[f"{number:02}" for number in range(chance.choice([1, 3, 20]))],
        transfers_a_second=chance.choice([0.5, 5, 100]),
        relay_seconds=chance.choice([0.01, 0.5, 4, 30]),
        consumer_seconds=chance.choice([0.01, 0.5, 4, 30]),
        chance=chance,
    )

    report = judged(world)

    assert not report.inconsistent


def judged(world):
    return compare(world, world, say=print, clock=world)


class World:
    """A wallet, its road to Balances and a clock, in one: what was asked of it takes 2 ms, in which transfers go on."""

    def __init__(
        self,
        held,
        busy=(),
        transfers_a_second=0,
        different_balances=5,  # so few that accounts come back to what they held before
        relay_seconds=0.01,
        consumer_seconds=0.01,
        chance=None,
    ):
        self.held_now = {account_id: Decimal(balance) for account_id, balance in held.items()}
        self.rows = {account_id: (balance, "at first") for account_id, balance in self.held_now.items()}
        self.consumed = True
        self.seconds = 0.0
        self._busy, self._transfers_a_second, self._different_balances = busy, transfers_a_second, different_balances
        self._relay_seconds, self._consumer_seconds = relay_seconds, consumer_seconds
        self._chance = chance or random.Random(1)
        self._outbox, self._log, self._position, self._next_transfer = deque(), [], 0, 0.0
        self._asked_at, self._caught_up_at, self._target = 0.0, None, (0.0, 0)

    # the clock

    def monotonic(self):
        return self.seconds

    def sleep(self, seconds):
        until = self.seconds + seconds
        while self.seconds < until:
            self.seconds = min(self.seconds + 0.002, until)
            self._go_on()

    # the wallet

    def accounts(self):
        self.sleep(0.002)
        return iter([(account_id, "wallet", balance) for account_id, balance in sorted(self.held_now.items())])

    def balance(self, account_id):
        self.sleep(0.002)
        return self.held_now.get(account_id)

    def oldest_seconds(self):
        self.sleep(0.002)
        return self.seconds - self._outbox[0][0] if self._outbox else 0

    def set(self, account_id, balance):
        self.held_now[account_id] = Decimal(balance)
        self._outbox.append((self.seconds, account_id, Decimal(balance)))

    # Balances

    def balances(self):
        self.sleep(0.002)
        return iter([(account_id, "balances", balance) for account_id, (balance, _) in sorted(self.rows.items())])

    def row(self, account_id):
        self.sleep(0.002)
        return self.rows.get(account_id, (None, None))

    def caught_up_seconds(self):
        self.sleep(0.002)
        if self.seconds >= self._asked_at + 2:
            self._asked_at = self.seconds
            if self._position >= self._target[1]:
                self._caught_up_at, self._target = self._target[0], (self.seconds, len(self._log))
            if self._position == len(self._log):
                self._caught_up_at = self.seconds
        return self.seconds - self._caught_up_at if self.consumed and self._caught_up_at is not None else None

    def _go_on(self):
        if self._busy and self._transfers_a_second and self.seconds >= self._next_transfer:
            self._next_transfer = self.seconds + self._chance.expovariate(self._transfers_a_second)
            self.set(self._chance.choice(self._busy), self._chance.randrange(self._different_balances))
        while self._outbox and self._outbox[0][0] + self._relay_seconds <= self.seconds:
            at, *event = self._outbox.popleft()
            self._log.append((self.seconds, at, *event))
        while self._position < len(self._log) and self._log[self._position][0] + self._consumer_seconds <= self.seconds:
            _, at, account_id, balance = self._log[self._position]
            self.rows[account_id] = (balance, at)
            self._position += 1
