"""A naive relay: it reads the outbox, publishes, deletes. Several relays may run, without any coordination."""

import time

from kafka import KafkaProducer

from tests.labs.naive.steps import KAFKA, TOPIC, connect, step

database, producer = connect(), KafkaProducer(**KAFKA)
database.autocommit(True)


def relay() -> None:
    with database.cursor() as cursor:
        cursor.execute("SELECT id, event_key, payload FROM outbox ORDER BY id")
        for number, key, payload in cursor.fetchall():
            step(f"read {key}", "mysql", "relay", f"{key} from the outbox")
            record = producer.send(TOPIC, key=key.encode(), value=payload.encode()).get(timeout=10)
            step(f"published {key}", "relay", "kafka", f"{key} at [{record.partition}]@{record.offset}")
            cursor.execute("DELETE FROM outbox WHERE id = %s", (number,))
            step(f"deleted {key}", "relay", "mysql", f"DELETE {key}")


if __name__ == "__main__":
    step("started", "relay", "relay", "naive relay started")
    while True:
        relay()
        time.sleep(0.05)
