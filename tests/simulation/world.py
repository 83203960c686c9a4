"""The pipeline without processes: the real steps of wallet, relay and consumer between fakes of MySQL and Kafka.

One seed decides everything: which actor takes the next step, what fails, and which other actors take steps between any
two calls of a step. The seed repeats a schedule that fails. The wallet's rules, its messages, the relay's batch, the
consumer's batch, the offsets and the projection are the real ones. Only their servers are fakes.

Two cases that no consumer can notice are left out. In one, a log loses records before they were read. In the other, a
truncated log grows beyond the stored offset before a consumer notices.
"""

import random
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from tests.simulation.broker import Broker
from tests.simulation.consumers import BalancesProcess
from tests.simulation.operator import Operator
from tests.simulation.promises import check
from tests.simulation.read_model import ReadModel
from tests.simulation.relays import RelayProcess
from tests.simulation.wallets import WalletDatabase, WalletProcess

EPOCH, BEGIN = datetime(1970, 1, 1), 1_795_305_600_000_000  # microseconds: 2026-11-22
CHANGES = ("restores", "topics")  # what an operator or a broker does to the data, each in a part of the worlds


class Crash(BaseException):
    """The process that takes the step crashes here."""


class World:
    """`broken` names wrong versions (see broken.py) that this world uses: the promises must then fail."""

    def __init__(self, seed: int, steps: int = 250, broken: Collection[str] = ()) -> None:
        self.random = random.Random(seed)
        self.steps = steps
        self.broken = broken
        self.faults = True
        self.changes = {each for each in CHANGES if self.random.random() < 0.5}
        self.microseconds = BEGIN
        self._taken, self._quiet_after = 0, self.random.randint(steps // 2, steps)
        self._acting: list[Any] = []
        self.wallet = WalletDatabase(self)
        self.broker = Broker(self, partitions=self.random.choice((1, 1, 3)))
        self.read_model = ReadModel(self)
        nodes = self.random.choice((1, 1, 2))
        self.wallets = [WalletProcess(self, number, nodes) for number in range(nodes)]
        self.relays = [RelayProcess(self) for _ in range(self.random.choice((1, 2)))]
        self.balances = [BalancesProcess(self) for _ in range(self.random.choice((1, 2, 3)))]
        self.operator = Operator(self)
        self.broker.share_out()

    def run(self) -> None:
        for _ in range(self.steps):
            self._one_step()
        self.faults = False
        self.wallet.finish_all()
        self._come_to_rest()
        if self.operator.must_announce():
            self.operator.announce_all()
            self._come_to_rest()
        check(self)

    def between_calls(self, can_fail: Collection[Exception] = (), crash: bool = True) -> None:
        """What may happen before a call that a step makes: a crash, an error of the call, or the steps of others."""
        if not self.faults:
            return
        dice = self.random.random()
        if crash and dice < 0.01:
            raise Crash
        if dice < 0.05 and can_fail:
            raise self.random.choice(list(can_fail))
        if dice < 0.15 and len(self._acting) < 3:
            self._one_step()

    def clock(self, skew: int = 0) -> int:
        return self.microseconds + skew

    def now(self) -> datetime:
        return EPOCH + timedelta(microseconds=self.microseconds)

    def wallets_begin(self) -> bool:
        """Whether the wallets begin anything new. Later nothing makes up for what is lost, as an event would."""
        return self._taken < self._quiet_after

    def _one_step(self) -> None:
        self._taken += 1
        self.microseconds += self.random.randint(1, 2_000)
        actors: list[Any] = [*self.wallets, self.broker, self.operator, *self.relays, *self.balances]
        actor = self.random.choice([each for each in actors if each not in self._acting])
        self._acting.append(actor)
        try:
            actor.step()
        except Crash:
            actor.crash()
        finally:
            self._acting.remove(actor)

    def _come_to_rest(self) -> None:
        for _ in range(300):
            actors: list[Any] = [self.broker, *self.relays, *self.balances]
            for actor in actors:
                actor.step()
            if not self.wallet.outbox and self.broker.is_consumed():
                return
        raise AssertionError("no rest: something is stuck")
