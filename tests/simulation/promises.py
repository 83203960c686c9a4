"""The promises that hold at rest, whatever happened before.

Other promises are checked where they can break. Each commit of the wallet checks money and sequences. Each DELETE of
the relay checks that the rows were sent. Each commit of Balances checks that no sequence decreases.
"""

from typing import TYPE_CHECKING

from tests.simulation.broker import GARBAGE
from tests.simulation.wallets import OPENING

if TYPE_CHECKING:
    from tests.simulation.world import World


def check(world: "World") -> None:
    _projection_equals_the_accounts(world)
    _every_unreadable_record_is_parked(world)
    _every_transaction_is_published_in_order(world)


def _projection_equals_the_accounts(world: "World") -> None:
    for name, account in world.wallet.tables.accounts.items():
        row = world.read_model.committed.get(("balance", name))
        if name not in world.wallet.touched:  # no event has named it: only a seed could have put it into Balances
            assert row is None or account.balance == OPENING
            continue
        assert row is not None, f"{name} is not in the projection"
        assert row.balance == account.balance, f"{name} has {account.balance}, and in the projection {row}"


def _every_unreadable_record_is_parked(world: "World") -> None:
    for tp, log in world.broker.consumed().items():
        for record in log.entries:
            if record is not None and record.value == GARBAGE:
                place = ("dead letter", log.topic_id, *tp, record.offset)
                assert place in world.read_model.committed, f"{place} is not parked"


def _every_transaction_is_published_in_order(world: "World") -> None:
    published: dict[str, int] = {}
    for value in world.broker.transactions:
        published.setdefault(value.split(b'"id":"')[1].split(b'"')[0].decode(), len(published))
    for source, names in world.wallet.tables.transactions.items():
        missing = [name for name in names if name not in published]
        assert not missing, f"transactions of {source} were never published: {missing}"
        if len(world.wallets) == 1:  # two servers draw outbox ids side by side
            assert list(names) == sorted(names, key=lambda name: published[name]), (
                f"transactions of {source} out of order"
            )
