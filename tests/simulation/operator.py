"""An operator: backups, restores of either database, topics created again, logs cut at either end, announcements."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.simulation.world import World

RESTORE_MICROSECONDS = 60_000_000  # a restore takes longer than clocks differ


class Operator:
    def __init__(self, world: "World") -> None:
        self._world = world
        self._wallet_backups = [world.wallet.backup()]
        self._balances_backups: list[dict[Any, Any]] = [{}]

    def step(self) -> None:
        chance, world = self._world.random, self._world
        dice = chance.random()
        if "restores" in world.changes:
            if dice < 0.2:
                self._wallet_backups.append(world.wallet.backup())
            elif dice < 0.4 and not world.broker.is_truncated():
                self._balances_backups.append(dict(world.read_model.committed))
            elif dice < 0.45:
                world.wallet.restore(chance.choice(self._wallet_backups))
                world.microseconds += RESTORE_MICROSECONDS
            elif dice < 0.5 and self._balances_backups:
                world.read_model.restore(chance.choice(self._balances_backups))
        if "topics" in world.changes and dice >= 0.5:
            tp = chance.choice(sorted(world.broker.logs))
            if dice < 0.55:
                self._create_again(tp.topic)
            elif dice < 0.7:
                world.broker.remove_oldest(tp)
            elif dice < 0.8 and world.broker.truncate(tp):
                self._balances_backups.clear()  # they may hold an offset that means another record now

    def crash(self) -> None:
        pass

    def _create_again(self, topic: str) -> None:
        """Re-create the topic if each partition has a stored offset: without one, no projection notices the change."""
        places = {("offset", *tp) for tp in self._world.broker.consumed() if tp.topic == topic}
        if places <= self._world.read_model.committed.keys():
            self._balances_backups = [each for each in self._balances_backups if places <= each.keys()]
            self._world.broker.create(topic)

    def must_announce(self) -> bool:
        """What the documents ask an operator to do: after a restore of the wallet, or when Balances requires it."""
        return self._world.wallet.restored or self._world.read_model.announce_required()

    def announce_all(self) -> None:
        self._world.wallets[0].begin_announcement(self._world.wallet.free())
        self._world.wallet.finish_all()
