"""How fast Balances applies events, exactly once, and what that is of a loop that does nothing with them."""

import json
import time
from contextlib import closing

from kafka import KafkaConsumer, TopicPartition

from common.events import consumer as settings
from tests.bench import system
from tests.bench.figures import Figure


def over_1000_accounts(runs):
    start = system.end_offset()
    rates, memory = _consumed(events=200_000 * runs, accounts=1_000, windows=runs)
    system.local("stop", "balances")
    bare = [_bare_loop(start, 200_000) for _ in range(2)]
    system.local("start", "balances")
    return [
        Figure("events/s over 1,000 accounts", "events/s", rates, 40_000),
        Figure("bare loop of poll and json.loads", "events/s", bare),
        Figure("share of the bare loop", "%", [100 * rate / max(bare) for rate in rates], 60),
        Figure("memory of Balances after these events", "MB", memory[-1:], 80, at_least=False),
        Figure("memory gained between the first and the last event", "MB", [memory[-1] - memory[0]], 8, at_least=False),
    ]


def over_100000_accounts(runs):
    rates, _ = _consumed(events=100_000 * runs, accounts=100_000, windows=runs)
    return [Figure("events/s over 100,000 accounts", "events/s", rates, 15_000)]


def as_the_table_grows(runs):
    figures = []
    for rows in (1_000, 100_000, 1_000_000):
        system.fill_balances(rows)
        rates, _ = _consumed(events=100_000 * runs, accounts=1_000, windows=runs)
        figures.append(Figure(f"events/s over 1,000 accounts of {rows:,}", "events/s", rates))
    return figures


def by_three_balances_over_six_partitions(runs):
    system.partitions(6)
    one, _ = _consumed(events=300_000, accounts=1_000, windows=1)
    several = [_consumed(events=300_000, accounts=1_000, windows=1, instances=3)[0][0] for _ in range(min(runs, 3))]
    return [
        Figure("events/s of one Balances over six partitions", "events/s", one),
        Figure("events/s of three Balances over six partitions", "events/s", several),
    ]


def _consumed(events, accounts, windows, instances=1):
    """(events/s in each window, memory in MB after each window)."""
    names = ["balances", *(f"balances-{number}" for number in range(2, instances + 1))]
    start = system.end_offset()
    system.wait_until(lambda: system.stored_offset() >= start)
    system.local("stop", "balances")
    system.produce(events, accounts)
    for name in names:
        system.local("start", name)
    rates, memory = [], []
    with closing(system.connect("balances")) as connection, connection.cursor() as cursor:

        def position():
            cursor.execute("SELECT SUM(next_offset) FROM consumer_offsets WHERE topic = %s", (system.TOPIC,))
            return int(cursor.fetchone()[0])

        mark, at = position(), time.perf_counter()
        for window in range(1, windows + 1):
            goal = start + events * window // windows
            system.wait_until(lambda goal=goal: position() >= goal, every=0.005)
            reached, now = position(), time.perf_counter()
            rates.append((reached - mark) / (now - at))
            mark, at = reached, now
            memory.append(system.memory_mb("balances"))
    for name in names[1:]:
        system.local("stop", name)
    return rates, memory


def _bare_loop(start, events):
    """events/s of poll and json.loads, from a fresh client with the service's own settings."""
    partition = TopicPartition(system.TOPIC, 0)
    options = {
        "max_poll_records": settings.POLL_RECORDS,
        "max_partition_fetch_bytes": settings.FETCH_BYTES,
        "fetch_max_wait_ms": settings.FETCH_WAIT_MS,
    }
    with closing(KafkaConsumer(**system.KAFKA, **options)) as consumer:
        consumer.assign([partition])
        consumer.seek(partition, start)
        while not consumer.poll(timeout_ms=300):
            pass
        seen, started = 0, time.perf_counter()
        while seen < events - settings.POLL_RECORDS:
            for batch in consumer.poll(timeout_ms=300).values():
                for record in batch:
                    json.loads(record.value)
                seen += len(batch)
    return seen / (time.perf_counter() - started)
