"""The pipeline from POST to GET on topics of its own: both APIs, the relay's step and the consumer."""

import threading
from contextlib import ExitStack, closing, contextmanager
from uuid import uuid4

from kafka import KafkaProducer
from waitress import create_server

import balances.api
import wallet.api
from balances.messages import TOPICS
from common.events import consumer
from common.events.consumer import Group
from common.events.relay import relay_batch
from common.request_log import request_logging_middleware
from common.worker_status import WorkerStatus
from tests.integration.consumers import balances_of
from wallet.messages import TOPICS as WALLET_TOPICS


class Pipeline:
    def __init__(self, wallet_url, balances_url, relaying):
        self.wallet_url, self.balances_url = wallet_url, balances_url
        self.relaying = relaying  # an Event: cleared, the outbox only grows


@contextmanager
def pipeline(wallet_database, balances_database, kafka, make_topic, token=""):
    own = {topic: make_topic() for topic in WALLET_TOPICS}
    relay_status, consumer_status = (
        WorkerStatus(),
        _Renamed(WorkerStatus(), {name: topic for topic, name in own.items()}),
    )
    relay_status.write({"relay": "leader", "kafka": "up"})
    stop, relaying = threading.Event(), threading.Event()
    relaying.set()
    arguments = {
        "stop": stop,
        "database": balances_database,
        "options": kafka,
        "projection": balances_of(balances_database, [own[topic] for topic in TOPICS]),
        "group": Group(f"test-{uuid4()}", str(uuid4())),
        "status": consumer_status,
    }
    with ExitStack() as stack:
        stack.enter_context(_thread(consumer.run, **arguments))
        stack.enter_context(_thread(_relay, stop, relaying, wallet_database, kafka, own))
        stack.callback(stop.set)
        yield Pipeline(
            stack.enter_context(_served(wallet.api.create_app(wallet_database, relay_status, lambda: None, token))),
            stack.enter_context(_served(balances.api.create_app(balances_database, consumer_status, token))),
            relaying,
        )


class _Renamed:
    """The consumer's status, with the topics named as everywhere else."""

    def __init__(self, status, names):
        self._status, self._names = status, names
        self.write, self.age = status.write, status.age

    def read(self):
        facts = self._status.read()
        for partition in facts.get("partitions", []):
            partition["topic"] = self._names.get(partition["topic"], partition["topic"])
        return facts


class _Prefixing:
    """A producer that sends to the topics of this test."""

    def __init__(self, producer, topics):
        self._producer, self._topics = producer, topics

    def send(self, topic, **record):
        return self._producer.send(self._topics[topic], **record)


def _relay(stop, relaying, database, kafka, topics):
    with closing(KafkaProducer(**kafka, acks="all")) as producer, closing(database.connect()) as connection:
        while not stop.is_set():
            if not (relaying.is_set() and relay_batch(connection, _Prefixing(producer, topics))):
                stop.wait(0.01)


@contextmanager
def _thread(work, *arguments, **named):
    thread = threading.Thread(target=work, args=arguments, kwargs=named)
    thread.start()
    try:
        yield
    finally:
        thread.join(timeout=20)


@contextmanager
def _served(app):
    server = create_server(request_logging_middleware(app), host="127.0.0.1", port=0, threads=8)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.effective_port}"
    finally:
        server.close()
