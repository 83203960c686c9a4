"""Stock: consumes the orders and keeps, for each product, the sum of what was sold. `python -m tests.toy.stock`."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from operator import attrgetter
from typing import Annotated, Any, NamedTuple

import msgspec

from common import environment
from common.events import consumer, inbox
from common.events.dead_letters import UnreadableRecord
from common.json_api import JsonApp, serve_health
from common.kafka import client_options
from common.log import configure
from common.mysql import Cursor, Database
from common.runner import Worker, run
from common.worker_status import WorkerStatus


class Order(msgspec.Struct):
    order_id: int
    product: str
    quantity: Annotated[int, msgspec.Meta(ge=1)]


class Sale(NamedTuple):
    event_id: str
    product: str
    quantity: int


def parse(record: Any) -> tuple[Sale]:
    """The sale that a record carries. Raises UnreadableRecord."""
    try:
        order = msgspec.json.decode(record.value, type=Order)
    except (msgspec.MsgspecError, TypeError, ValueError) as error:
        raise UnreadableRecord(f"not an order: {error}") from error
    return (Sale(inbox.event_id(record), order.product, order.quantity),)


def apply(cursor: Cursor, sales: Sequence[Sale], keep: Callable[..., Sequence[Sale]] = inbox.keep_new) -> int:
    """Add the sales that are new to the sums; return how many were repeats."""
    new = keep(cursor, sales, attrgetter("event_id"))
    sums = Counter[str]()
    for sale in new:
        sums[sale.product] += sale.quantity
    cursor.executemany(
        "INSERT INTO stock (product, sold) VALUES (%s, %s) ON DUPLICATE KEY UPDATE sold = sold + VALUES(sold)",
        sorted(sums.items()),
    )
    return len(sales) - len(new)


def main(apply: Callable[[Cursor, Sequence[Sale]], int] = apply) -> None:
    configure("stock")
    topic, status = environment.text("TOPIC", "orders"), WorkerStatus()
    consuming = partial(
        consumer.run,
        database=Database(environment.text("DATABASE_URL")),
        options=client_options(environment.text("KAFKA_BOOTSTRAP_SERVERS")),
        projection=consumer.Projection([topic], parse, apply),
        group=consumer.Group(f"{topic}-stock", "stock-1"),
        status=status,
    )
    app = JsonApp({})
    serve_health(app, lambda: (200, {"status": "ready"}))
    run(lambda first: (app, [Worker("consumer", consuming, status)]), "127.0.0.1", environment.integer("PORT", 3004))


if __name__ == "__main__":
    main()
