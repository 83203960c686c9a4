"""How soon Balances is ready when MySQL and Kafka are there."""

import time

from tests.bench import system
from tests.bench.figures import Figure


def of_balances(runs):
    seconds = []
    for _ in range(runs):
        system.local("stop", "balances")
        started = time.perf_counter()
        system.local("start", "balances")
        seconds.append(time.perf_counter() - started)
    return [Figure("Balances ready after its start, migrations included", "s", seconds, 2, at_least=False)]
