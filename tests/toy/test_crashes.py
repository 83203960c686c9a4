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
from tests.toy.pair import PRODUCTS, SECONDS, STOCK, STOCK_WITHOUT_INBOX, Pair

SEED = 20261129
KILLS = ("stock", "orders", "stock", "stock", "orders", "stock")
ORDERS_BETWEEN_KILLS = (5, 40)

ORDERS = ("-m", "tests.toy.orders")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


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
            eventually(lambda enough=enough: pair.placed >= enough, SECONDS)
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
    assert len(ids) == len(PRODUCTS)
    assert all(len(each) >= 2 and len(set(each)) == 1 for each in ids.values())


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

    true, of_records = pair.true_sums(), pair.sums_of_records()
    assert all(of_records[product] > true[product] for product in PRODUCTS)
    assert after_resend == of_records
    assert pair.sums() == {product: 2 * of_records[product] for product in PRODUCTS}
