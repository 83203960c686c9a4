"""Wrong versions of parts of the product, to see that the promises notice the damage of each.

`World(seed, broken={NAME})` uses one. "range-delete", "compare-and-set" and "announce" change the fakes of the
databases, and so prove nothing about the SQL of the product: tests/integration does.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from balances import projection
from balances.messages import Balance

if TYPE_CHECKING:
    from tests.simulation.world import World

NAMES = {
    "fold": "of a batch the last balance of an account is applied, not the one with the highest sequence",
    "guard": "a balance is applied though its sequence is not higher",
    "creation": "a creation is applied though the account is known",
    "range-delete": "the relay removes every outbox row up to the last acknowledged one",
    "compare-and-set": "a batch moves the stored offset from wherever it is",
    "announce": "a loss of records raises no flag",
}


def apply_of(world: "World") -> Callable[[Any, Iterable[Balance]], int]:
    """How the world's consumers apply balances."""
    if "fold" in world.broken:
        return lambda cursor, balances: projection.apply(cursor, {each.account_id: each for each in balances}.values())
    if "guard" in world.broken:
        return lambda cursor, balances: _execute(cursor, projection._WITHOUT_SEQUENCE, balances)
    if "creation" in world.broken:
        return _apply_creations_as_updates
    return projection.apply


def _apply_creations_as_updates(cursor: Any, balances: Iterable[Balance]) -> int:
    for each in balances:
        if each.creation:
            _execute(cursor, projection._WITHOUT_SEQUENCE, [each])
        else:
            projection.apply(cursor, [each])
    return 0


def _execute(cursor: Any, statement: str, balances: Iterable[Balance]) -> int:
    for each in balances:
        cursor.executemany(statement, [(each.account_id, each.balance, each.sequence or 0, each.updated_at)])
    return 0
