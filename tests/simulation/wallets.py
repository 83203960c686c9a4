"""The wallet's database, and processes whose transactions are open at the same time and commit in any order."""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from common.events.outbox import Event
from wallet import domain
from wallet.domain import Account, Client
from wallet.messages import to_message

if TYPE_CHECKING:
    from tests.simulation.world import World

ACCOUNTS, OPENING, MOST_ACCOUNTS = 5, Decimal(1000), 8
SKEW = 5_000  # microseconds that the clock of one of several servers may be wrong by


@dataclass
class Work:
    """An open transaction: the rows it holds locked and what its COMMIT will write."""

    accounts: list[Account]
    events: list[domain.Event]
    rows: dict[int, tuple[Event, str]]
    transaction: domain.Transaction | None = None


@dataclass
class Tables:
    accounts: dict[str, Account] = field(default_factory=dict)
    outbox: dict[int, tuple[Event, str]] = field(default_factory=dict)
    transactions: dict[str, tuple[str, ...]] = field(default_factory=lambda: defaultdict(tuple))  # by source

    def copy(self) -> "Tables":
        return Tables(self.accounts.copy(), self.outbox.copy(), self.transactions.copy())


class WalletDatabase:
    """Its promises are checked at each commit: the sequence of an account grows, money stays."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.tables = Tables({name: Account(name, "c", OPENING, world.now()) for name in _names(ACCOUNTS)})
        self.open: list[Work] = []
        self.generation = 0  # of the server: a restore ends every connection
        self.restored = False  # and nothing was announced since
        self.touched: set[str] = set()  # accounts that an event named
        self._highest: dict[str, int] = {}  # sequence that an account ever had, restores included
        self._drawn = 0

    @property
    def outbox(self) -> dict[int, tuple[Event, str]]:
        return self.tables.outbox

    def free(self) -> list[str]:
        """The accounts that no open transaction has locked."""
        locked = {account.id for work in self.open for account in work.accounts}
        return sorted(self.tables.accounts.keys() - locked)

    def lock(self, names: list[str]) -> list[Account]:
        return [replace(self.tables.accounts[name]) for name in names]

    def new_name(self) -> str:
        self._drawn += 1
        return f"created-{self._drawn}"

    def new_event_id(self) -> str:
        self._drawn += 1
        return f"event-{self._drawn}"

    def finish(self, work: Work, commit: bool = True) -> None:
        self.open.remove(work)
        if not commit:
            return
        for account in work.accounts:
            assert account.sequence > self._highest.get(account.id, 0), f"the sequence of {account.id} does not grow"
            self._highest[account.id] = account.sequence
            self.tables.accounts[account.id] = account
            self.touched.add(account.id)
        self.tables.outbox.update(work.rows)
        if work.transaction:
            self.tables.transactions[work.transaction.account_id_from] += (work.transaction.id,)
        total = sum(account.balance for account in self.tables.accounts.values())
        assert total == OPENING * ACCOUNTS, f"money was made or lost: {total}"

    def finish_all(self) -> None:
        while self.open:
            self.finish(self.open[0])

    def backup(self) -> Tables:
        return self.tables.copy()

    def restore(self, backup: Tables) -> None:
        self.tables = backup.copy()
        self.open.clear()
        self.generation += 1
        self.restored = True


class WalletProcess:
    """Transfers, creations and announcements by the wallet's own rules, on a server with a clock of its own."""

    def __init__(self, world: "World", number: int, nodes: int) -> None:
        self._world = world
        self._skew = world.random.randint(-SKEW, SKEW) if nodes > 1 else 0
        self._id, self._step = number + 1, nodes  # as auto_increment_offset and auto_increment_increment

    def step(self) -> None:
        chance, wallet = self._world.random, self._world.wallet
        dice = chance.random()
        if wallet.open and dice < 0.5:
            wallet.finish(chance.choice(wallet.open), commit=chance.random() < 0.9)
        elif not self._world.wallets_begin():
            pass
        elif dice < 0.9:
            self._begin_transfer()
        elif dice < 0.95:
            self._begin_creation()
        else:
            self.begin_announcement(wallet.free()[:3])

    def crash(self) -> None:
        pass  # a process that takes no call of its own cannot crash within a step

    def begin_announcement(self, names: list[str]) -> None:
        if names:
            accounts = self._world.wallet.lock(names)
            self._begin(accounts, domain.announce(accounts, self._clock(), self._world.now()))

    def _begin_transfer(self) -> None:
        wallet, chance = self._world.wallet, self._world.random
        if len(free := wallet.free()) < 2:
            return
        source, target = wallet.lock(chance.sample(free, 2))
        if not source.balance:
            return
        amount = min(source.balance, Decimal("0.01") * chance.randint(1, 5_000))
        name = wallet.new_event_id()
        transaction, events = domain.transfer(name, source, target, amount, self._clock(), self._world.now())
        self._begin([source, target], events, transaction)

    def _begin_creation(self) -> None:
        wallet = self._world.wallet
        if len(wallet.tables.accounts) < MOST_ACCOUNTS:
            client = Client("c", "Carla", "c@example.com", self._world.now())
            account, events = domain.open_account(wallet.new_name(), client, self._clock(), self._world.now())
            self._begin([account], events)

    def _begin(
        self, accounts: list[Account], events: list[domain.Event], transaction: domain.Transaction | None = None
    ) -> None:
        wallet = self._world.wallet
        rows = {}
        for event in events:
            while self._id in wallet.outbox:
                self._id += self._step
            rows[self._id] = (to_message(event), wallet.new_event_id())
            self._id += self._step
        wallet.open.append(Work(accounts, events, rows, transaction))

    def _clock(self) -> int:
        return self._world.clock(self._skew)


def _names(number: int) -> list[str]:
    return [f"account-{each}" for each in range(number)]
