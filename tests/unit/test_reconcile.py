"""Reconcile against a wallet and a Balances of a few lines, on a clock that moves when it is waited for."""

import random
from collections import deque
from decimal import Decimal

import pytest

from balances import reconcile
from balances.reconcile import Reading, compare

LOG = ("balances", 0)


def test_equal_sides_are_right():
    world = World({"a": 900, "b": 1100})

    report = judged(world)

    assert (report.verdict, report.accounts, report.balances) == ("right", 2, 2)
    assert world.seconds < 1  # nothing to wait for


def test_a_balance_that_stays_another_is_wrong():
    world = World({"a": 900, "b": 1100})
    world.rows["b"] = (Decimal(1000), "long ago")

    report = judged(world)

    assert report.verdict == "wrong"
    assert report.wrong == {"b": Reading(1100, 1000, "long ago")}
    assert world.seconds >= reconcile.APART_SECONDS
    assert list(report.sentences()) == [
        "wrong: b: differs: the wallet holds 1100, Balances says 1000",
        "2 accounts of the wallet and 2 balances compared",
        "wrong",
    ]


def test_an_account_without_balance_and_a_balance_without_account_are_wrong():
    world = World({"a": 900, "b": 1100})
    world.rows["orphan"] = world.rows.pop("a")

    report = judged(world)

    assert {account_id: reading.kind for account_id, reading in report.wrong.items()} == {
        "a": "missing",
        "orphan": "orphan",
    }
    assert [each["wallet"] for each in report.facts()["differences"]] == [900, None]


def test_an_event_under_way_is_waited_for():
    world = World({"a": 900}, relay_seconds=2, consumer_seconds=2)
    world.set("a", 800)

    report = judged(world)

    assert report.verdict == "right"


def test_an_account_that_never_rests_is_right_when_balances_follows_it():
    world = World({"a": 0, "b": 0}, busy=["a"], transfers_a_second=50, different_balances=1_000_000, relay_seconds=0.2)

    report = judged(world)

    assert report.verdict == "right"


def test_a_wrong_balance_is_found_though_transfers_never_cease():
    world = World({"a": 0, "b": 0}, busy=["a"], transfers_a_second=50)
    world.rows["b"] = (Decimal(1), "long ago")

    report = judged(world)

    assert set(report.wrong) == {"b"}
    assert not report.unsettled


@pytest.mark.parametrize("stopped", ["relay_seconds", "consumer_seconds"])
def test_nothing_is_wrong_while_the_road_is_blocked(stopped):
    world = World({"a": 900}, **{stopped: 1_000_000})
    world.set("a", 800)

    report = judged(world)

    assert report.verdict == "unsettled"
    assert report.unsettled == {"a": Reading(800, 900, "at first")}


def test_nothing_is_wrong_while_nobody_follows_a_topic():
    world = World({"a": 900})
    world.rows["a"] = (Decimal(1000), "long ago")
    world.followed = {LOG}  # and not `accounts`

    report = judged(world)

    assert report.verdict == "unsettled"


def test_an_account_opened_between_the_two_lists_is_no_orphan():
    world = World({"a": 900})
    listed = list(world.accounts())
    world.held_now["b"], world.rows["b"] = Decimal(0), (Decimal(0), "just now")
    world.accounts = lambda: iter(listed)

    report = judged(world)

    assert (report.verdict, report.accounts, report.balances) == ("right", 2, 2)


def test_a_balance_that_comes_while_it_is_waited_for_is_counted():
    world = World({"a": 900, "b": 1100})
    world.balances = lambda: iter([])

    report = judged(world)

    assert (report.verdict, report.accounts, report.balances) == ("right", 2, 2)


def test_accounts_listed_in_another_order_are_looked_at_one_by_one():
    world = World({"a": 900, "b": 1100, "c": 1})
    world.accounts = lambda: iter([("b", "wallet", 1100), ("c", "wallet", 1), ("a", "wallet", 900)])

    report = judged(world)

    assert (report.verdict, report.accounts, report.balances) == ("right", 3, 3)


def test_after_so_many_wrong_ones_it_ends_without_reading_the_rest():
    world = World({f"{number:06}": 1 for number in range(20_000)})
    world.rows.clear()

    report = judged(world)

    assert (report.verdict, report.complete, len(report.wrong)) == ("wrong", False, reconcile.SUSPECTS)
    assert report.accounts == reconcile.SUSPECTS
    assert list(report.sentences())[-3:] == [
        "and 480 more, which --json lists",
        "500 accounts of the wallet and 0 balances compared; it ends here, the rest was not compared",
        "wrong",
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

    assert not report.wrong


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
        self.followed = {LOG, ("accounts", 0)}
        self.seconds = 0.0
        self._busy, self._transfers_a_second, self._different_balances = busy, transfers_a_second, different_balances
        self._relay_seconds, self._consumer_seconds = relay_seconds, consumer_seconds
        self._chance = chance or random.Random(1)
        self._outbox, self._log, self._position, self._next_transfer = deque(), [], 0, 0.0
        self._known_end, self._asked_at = 0, 0.0

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

    def held(self, account_id):
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

    def partitions(self):
        self.sleep(0.002)
        if self.seconds >= self._asked_at + 2:
            self._known_end, self._asked_at = len(self._log), self.seconds
        end = max(self._known_end, self._position)
        return {tp: (self._position, end) if tp == LOG else (0, 0) for tp in self.followed}

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
