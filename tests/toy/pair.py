"""Both services of the toy pair as processes that a test kills, and a client that goes on placing orders."""

import json
import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pymysql
import requests
from kafka import KafkaConsumer, TopicPartition

from common.mysql import Database
from tests.eventually import eventually
from tests.integration.service import Service
from tests.toy import orders
from tests.toy.tables import execute, rows

SECONDS = 60  # the limit of each wait, also on a busy machine
PRODUCTS = ("bolt", "nut", "screw")
STOCK = ("-m", "tests.toy.stock")
STOCK_WITHOUT_INBOX = ("-m", "tests.toy.without_inbox")


class Sold(NamedTuple):
    """An order as a record carries it, with the event id."""

    event_id: str
    value: bytes


class Pair:
    """`processes` are the running ones by name: orders and stock."""

    def __init__(
        self, folder: Path, topic: str, kafka: dict[str, Any], orders_database: Database, stock_database: Database
    ) -> None:
        self.processes: dict[str, Service] = {}
        self.placed = 0  # orders that were answered
        self.orders_database, self.stock_database = orders_database, stock_database
        self._folder, self._topic, self._kafka = folder, topic, kafka

    def start(self, name: str, url: str, arguments: tuple[str, ...]) -> None:
        """Start the process and wait until it serves."""
        log = self._folder / f"{name}.log"
        servers = ",".join(self._kafka["bootstrap_servers"])
        environment = {"DATABASE_URL": url, "KAFKA_BOOTSTRAP_SERVERS": servers, "TOPIC": self._topic}
        self.processes[name] = Service(arguments, log, **environment).__enter__()

    def kill(self, name: str) -> None:
        """SIGKILL. The lease of a dead relay would expire after some seconds: end it now."""
        process = self.processes.pop(name).process
        process.kill()
        process.wait()
        if name == "orders":
            execute(self.orders_database, "DELETE FROM leases")

    def end(self) -> None:
        for name in list(self.processes):
            self.kill(name)

    @contextmanager
    def client(self, rng: random.Random) -> Iterator[None]:
        """Place random orders inside the block, whatever happens to the service."""
        stop = threading.Event()
        thread = threading.Thread(target=self._place_orders, args=(stop, rng))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _place_orders(self, stop: threading.Event, rng: random.Random) -> None:
        while not stop.is_set():
            order: dict[str, Any] = {"product": rng.choice(PRODUCTS), "quantity": rng.randint(1, 9)}
            if process := self.processes.get("orders"):
                with suppress(requests.RequestException):  # killed, or MySQL in the way: the outcome is in the table
                    requests.post(f"{process.url}/orders", json=order, timeout=5).raise_for_status()
                    self.placed += 1

    def crash_before_delete(self, url: str, quantity: int) -> None:
        """Kill the relay between Kafka's acknowledgement of some events and their DELETE."""
        self.kill("orders")
        for product in PRODUCTS:
            orders.place(self.orders_database, self._topic, product, quantity)
        with closing(self.orders_database.connect()) as connection, connection.cursor() as cursor:
            connection.begin()
            events = cursor.execute("SELECT id FROM outbox FOR UPDATE")  # the DELETE waits for it
            end = self.log_end()
            self.start("orders", url, ("-m", "tests.toy.orders"))
            eventually(lambda: self.log_end() >= end + events, SECONDS)
            eventually(self._deleting, SECONDS)
            self.kill("orders")
            # The server would still execute the statement of its dead client.
            eventually(lambda: not self._end_deletes(), SECONDS)
            connection.rollback()
        assert rows(self.orders_database, "SELECT COUNT(*) FROM outbox") == ((events,),)
        self.start("orders", url, ("-m", "tests.toy.orders"))
        eventually(lambda: self.log_end() >= end + 2 * events, SECONDS)

    def _deleting(self) -> list[int]:
        """The connections whose DELETE of the outbox is in progress."""
        processes = rows(self.orders_database, "SHOW PROCESSLIST")
        return [int(row[0]) for row in processes if (row[7] or "").startswith("DELETE outbox")]

    def _end_deletes(self) -> list[int]:
        connections = self._deleting()
        for each in connections:
            with suppress(pymysql.OperationalError):  # the statement has ended meanwhile
                execute(self.orders_database, f"KILL {each}")
        return connections

    def move_offset_beyond_log(self) -> None:
        """Raise the stored offsets: the consumer then finds a truncated log, and reads from its beginning."""
        execute(self.stock_database, "UPDATE consumer_offsets SET next_offset = next_offset + 1000000")

    def log_end(self) -> int:
        partition = TopicPartition(self._topic, 0)
        with closing(KafkaConsumer(**self._kafka)) as consumer:
            return int(consumer.end_offsets([partition])[partition])

    def wait_until_consumed(self) -> None:
        """Every order is in the log, and the stored offset is at the end of the log."""
        eventually(lambda: rows(self.orders_database, "SELECT COUNT(*) FROM outbox") == ((0,),), SECONDS)
        end = self.log_end()
        eventually(lambda: self._stored_offset() == end, SECONDS)

    def _stored_offset(self) -> int:
        return sum(offset for (offset,) in rows(self.stock_database, "SELECT next_offset FROM consumer_offsets"))

    def records(self) -> list[Sold]:
        """All records of the log."""
        partition, found, end = TopicPartition(self._topic, 0), list[Sold](), self.log_end()
        with closing(KafkaConsumer(**self._kafka)) as consumer:
            consumer.assign([partition])
            consumer.seek_to_beginning(partition)

            def read() -> bool:
                for record in consumer.poll(timeout_ms=200).get(partition, []):
                    found.append(Sold(dict(record.headers)["event_id"].decode(), record.value))
                return len(found) == end

            eventually(read, SECONDS)
        return found

    def sums_of_records(self) -> dict[str, int]:
        """The sum that counts each record once, and so each event as often as the log has it."""
        sums = Counter[str]()
        for record in self.records():
            order = json.loads(record.value)
            sums[order["product"]] += order["quantity"]
        return dict(sums)

    def true_sums(self) -> dict[str, int]:
        return {
            product: int(quantity)
            for product, quantity in rows(
                self.orders_database, "SELECT product, SUM(quantity) FROM orders GROUP BY product"
            )
        }

    def sums(self) -> dict[str, int]:
        return dict(rows(self.stock_database, "SELECT product, sold FROM stock"))
