"""Orders: `POST /orders` stores an order and its event in one transaction. `python -m tests.toy.orders`."""

import json
from decimal import Decimal
from typing import Any

from common import environment
from common.events.outbox import Event, Outbox
from common.events.relay import Relay
from common.http_request import BadRequest, json_object
from common.json_api import JsonApp, serve_health
from common.kafka import client_options
from common.log import configure
from common.mysql import Database
from common.runner import Worker, run
from common.wakeup import WakeupEvent
from common.worker_status import WorkerStatus


def place(database: Database, topic: str, product: str, quantity: int) -> int:
    """Store an order and its event; return the order's id."""
    with database.transaction() as cursor:
        cursor.execute("INSERT INTO orders (product, quantity) VALUES (%s, %s)", (product, quantity))
        order_id = int(cursor.lastrowid)
        value = json.dumps({"order_id": order_id, "product": product, "quantity": quantity})
        Outbox(cursor).add([Event(topic, product, value, order_id)])
    return order_id


def create_app(database: Database, topic: str, wakeup: WakeupEvent) -> JsonApp:
    app = JsonApp({})
    serve_health(app, lambda: (200, {"status": "ready"}))

    @app.post("/orders")
    def post_order() -> dict[str, Any]:
        match json_object():
            case {"product": str(product), "quantity": Decimal() as quantity} if quantity == int(quantity) > 0:
                order_id = place(database, topic, product, int(quantity))
            case _:
                raise BadRequest("an order has a product and a quantity, which is a positive integer")
        wakeup.notify()
        return {"id": order_id}

    return app


def main() -> None:
    configure("orders")
    database, topic = Database(environment.text("DATABASE_URL")), environment.text("TOPIC", "orders")
    options = client_options(environment.text("KAFKA_BOOTSTRAP_SERVERS"))
    status, wakeup = WorkerStatus(), WakeupEvent()
    relay = Relay(database, options, [topic], partitions=1, replication=1, wakeup=wakeup, status=status)
    app = create_app(database, topic, wakeup)
    run(lambda first: (app, [Worker("relay", relay.run, status)]), "127.0.0.1", environment.integer("PORT", 8081))


if __name__ == "__main__":
    main()
