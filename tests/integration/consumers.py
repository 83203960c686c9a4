"""Driving the consumer one turn at a time."""

from contextlib import contextmanager
from functools import partial
from uuid import uuid4

from balances import projection
from balances.messages import parse
from common.events import consumer
from common.events.consumer import Consumer, Group, Projection
from common.mysql import DatabaseClock
from common.worker_status import WorkerStatus
from tests.eventually import eventually


def balances_of(database, topics):
    """The projection of Balances, on the topics of a test."""
    return Projection(list(topics), partial(parse, clock=DatabaseClock(database)), projection.apply)


@contextmanager
def consumer_of(kafka, database, *topics, group=None, instance=None, status=None, compacted=()):
    """A Consumer of the topics, as `consumer.run` makes it; its group and its instance are new unless given."""
    client = consumer.create_kafka_consumer(kafka, Group(group or f"test-{uuid4()}", instance or str(uuid4())))
    try:
        worker = Consumer(client, database, balances_of(database, topics), status or WorkerStatus(), compacted)
        client.subscribe(list(topics), listener=worker.assignment)
        yield worker
    finally:
        client.close(timeout_ms=2000)


def step(worker):
    """A turn of `consumer.run`: only its probe notices that the group was assigned without a new topic."""
    records = worker.consume_batch()
    worker.maintain()
    return records


def initialize(worker):
    """Repeat `step`, which must bring nothing, until the consumer has its position in every partition."""

    def initialized():
        assert step(worker) == 0
        return worker.assignment.positions

    eventually(initialized)


def consume(worker, records):
    """Repeat `step` until it has applied so many records, and no more than these."""
    applied = 0

    def all_of_them():
        nonlocal applied
        applied += step(worker)
        return applied >= records

    eventually(all_of_them)
    assert applied == records
