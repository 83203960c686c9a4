"""A naive wallet: it commits the transfer and then publishes the event. Nothing covers the moment in between."""

import json
import os
from typing import Any

from bottle import Bottle, request
from kafka import KafkaProducer
from kafka.errors import KafkaError

from tests.labs.naive.bank import transfer
from tests.labs.naive.steps import KAFKA, TOPIC, connect, step

app, database = Bottle(), connect()
producer = KafkaProducer(**KAFKA, request_timeout_ms=2000, delivery_timeout_ms=2500)


@app.post("/transfers")
def create_transfer() -> Any:
    with database.cursor() as cursor:
        event = transfer(cursor, request.json)
    database.commit()
    step(f"committed {event['id']}", "wallet", "mysql", f"COMMIT {event['id']}")
    publish(event)
    return event


def publish(event: dict[str, Any]) -> None:
    try:
        record = producer.send(TOPIC, key=event["id"].encode(), value=json.dumps(event).encode()).get(timeout=5)
        step(f"published {event['id']}", "wallet", "kafka", f"{event['id']} at [{record.partition}]@{record.offset}")
    except KafkaError as error:  # the client's transfer is stored: all that is left is a line of log
        step(f"not published {event['id']}", "wallet", "wallet", f"{event['id']} not published: {type(error).__name__}")


if __name__ == "__main__":
    step("started", "wallet", "wallet", "naive wallet started")
    app.run(host="127.0.0.1", port=int(os.environ["PORT"]), quiet=True)
