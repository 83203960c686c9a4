"""Repeats and reorders what is on the topics already: copies with the same key, value and headers."""

import random
import threading
from collections import deque

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from tests.faults.system import PARTITIONS, TOPICS

REMEMBERED, COPIES, TURN_SECONDS = 400, 12, 0.25


class Repeater:
    def __init__(self, system, seed):
        self._system, self._rng = system, random.Random(f"{seed}/repeats")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.copies = 0

    def start(self):
        self._thread.start()
        return self

    def stop(self):
        self._stop.set()
        self._thread.join()

    def _run(self):
        options = {"bootstrap_servers": self._system.bootstrap_servers, "api_version": (3, 9)}
        consumer = KafkaConsumer(**options, reconnect_backoff_max_ms=1000)
        producer = KafkaProducer(**options, reconnect_backoff_max_ms=1000, max_block_ms=1000)
        partitions = [TopicPartition(topic, number) for topic in TOPICS for number in range(PARTITIONS)]
        known = {topic: deque(maxlen=REMEMBERED) for topic in TOPICS}
        try:
            consumer.assign(partitions)
            consumer.seek_to_end()
            while not self._stop.wait(TURN_SECONDS):
                for batch in consumer.poll(timeout_ms=100).values():
                    for record in batch:
                        known[record.topic].append(record)
                try:
                    for records in known.values():
                        for record in self._rng.sample(list(records), min(len(records), self._rng.randint(0, COPIES))):
                            # To its own partition: the order of first occurrences is promised for each.
                            producer.send(record.topic, record.value, record.key, record.headers, record.partition)
                            self.copies += 1
                except KafkaError:
                    self._stop.wait(0.5)  # the broker is unavailable
        finally:
            producer.close(timeout=5)
            consumer.close(timeout_ms=2000)
