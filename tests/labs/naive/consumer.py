"""A naive read model: `consumer.py add` adds each amount, `consumer.py overwrite` stores the balances of the event.

It applies the event, commits to MySQL, and then commits the offset to Kafka. It compares nothing.
"""

import json
import sys
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from tests.labs.naive.steps import KAFKA, TOPIC, connect, step

ADD = "UPDATE balances SET balance = balance + %s WHERE id = %s"
OVERWRITE = "UPDATE balances SET balance = %s WHERE id = %s"


def apply(cursor: Any, how: str, event: dict[str, Any]) -> None:
    if how == "add":
        cursor.execute(ADD, (-event["amount"], event["from"]))
        cursor.execute(ADD, (event["amount"], event["to"]))
    else:
        cursor.execute(OVERWRITE, (event["balance_from"], event["from"]))
        cursor.execute(OVERWRITE, (event["balance_to"], event["to"]))


def main(how: str, partitions: list[int]) -> None:
    database = connect()
    consumer = KafkaConsumer(**KAFKA, group_id="naive", enable_auto_commit=False, auto_offset_reset="earliest")
    consumer.assign([TopicPartition(TOPIC, partition) for partition in partitions])
    step("started", "balances", "balances", "naive Balances started")
    for record in consumer:
        event = json.loads(record.value)
        step(f"received {event['id']}", "kafka", "balances", f"{event['id']} at [{record.partition}]@{record.offset}")
        with database.cursor() as cursor:
            apply(cursor, how, event)
        database.commit()
        step(f"applied {event['id']}", "balances", "mysql", f"COMMIT {event['id']}")
        consumer.commit()
        step(f"stored offset of {event['id']}", "balances", "kafka", f"commit offset {record.offset + 1}")


if __name__ == "__main__":
    main(sys.argv[1], [int(partition) for partition in sys.argv[2:]] or [0])
