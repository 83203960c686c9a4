"""The sum that stock keeps equals the sum of the orders, whatever is killed. Real processes, MySQL and Kafka."""

import json
import random
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common.mysql import Database
from tests.eventually import eventually
from tests.toy.pair import STOCK, STOCK_WITHOUT_INBOX, Pair

SEED = 20261129
KILLS = ("stock", "orders", "stock", "stock", "orders", "stock")
ORDERS_BETWEEN_KILLS = (5, 40)

ORDERS = ("-m", "tests.toy.orders")

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def pair(
    tmp_path: Path, topic: str, kafka: dict[str, Any], orders_database: Database, stock_database: Database
) -> Iterator[Pair]:
    pair = Pair(tmp_path, topic, kafka, orders_database, stock_database)
    yield pair
    pair.end()


def test_a_sum_through_the_inbox_is_exact_whatever_is_killed(pair: Pair, orders_url: str, stock_url: str) -> None:
    rng = random.Random(SEED)
    pair.start("orders", orders_url, ORDERS)
    pair.start("stock", stock_url, STOCK)

    with pair.client(random.Random(SEED)):
        for name in KILLS:
            enough = pair.placed + rng.randint(*ORDERS_BETWEEN_KILLS)
            eventually(lambda enough=enough: pair.placed >= enough)
            pair.kill(name)
            pair.start(name, *((orders_url, ORDERS) if name == "orders" else (stock_url, STOCK)))
    pair.crash_before_delete(orders_url, quantity=1000)
    pair.wait_until_consumed()
    pair.kill("stock")
    pair.move_offset_beyond_log()
    pair.start("stock", stock_url, STOCK)
    pair.wait_until_consumed()

    records = pair.records()
    assert len(records) > len({record.event_id for record in records})  # some events were sent again
    assert pair.sums() == pair.true_sums()


def test_every_resend_of_an_event_carries_its_event_id(pair: Pair, orders_url: str) -> None:
    pair.start("orders", orders_url, ORDERS)

    pair.crash_before_delete(orders_url, quantity=1000)

    ids = defaultdict(list)
    for record in pair.records():
        ids[json.loads(record.value)["order_id"]].append(record.event_id)
    assert [(len(each), len(set(each))) for each in ids.values()] == [(2, 1)] * 3


def test_without_the_inbox_a_resend_and_a_log_that_is_read_again_count_twice(
    pair: Pair, orders_url: str, stock_url: str
) -> None:
    pair.start("orders", orders_url, ORDERS)
    pair.start("stock", stock_url, STOCK_WITHOUT_INBOX)

    pair.crash_before_delete(orders_url, quantity=1000)
    pair.wait_until_consumed()
    after_resend = pair.sums()
    pair.kill("stock")
    pair.move_offset_beyond_log()
    pair.start("stock", stock_url, STOCK_WITHOUT_INBOX)
    pair.wait_until_consumed()

    assert pair.true_sums() == dict.fromkeys(pair.true_sums(), 1000)
    assert after_resend == dict.fromkeys(pair.true_sums(), 2000)
    assert pair.sums() == dict.fromkeys(pair.true_sums(), 4000)
