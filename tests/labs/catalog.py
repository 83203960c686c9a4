"""The labs in the order of their numbers."""

from tests.labs.run import Lab
from tests.labs.scenarios import (
    balances_killed,
    dual_write,
    duplicate_delivery,
    kafka_down,
    out_of_order,
    poison_record,
    rebuild,
    replay,
    retention,
    zombie_relay,
)

LABS: dict[str, Lab] = {
    module.LAB.name: module.LAB
    for module in (
        dual_write,
        kafka_down,
        balances_killed,
        duplicate_delivery,
        out_of_order,
        poison_record,
        rebuild,
        replay,
        zombie_relay,
        retention,
    )
}
