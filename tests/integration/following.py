"""Driving the consumer one batch at a time."""

from contextlib import contextmanager
from uuid import uuid4

from balances import consumer
from balances.consumer import Follower, consume_batch
from common.status import Status
from tests.eventually import eventually


@contextmanager
def follower_of(kafka, database, *topics, group=None, instance=None, status=None):
    """A Follower of the topics, as `consumer.run` makes it; in a new group and of a new name unless they are given."""
    client = consumer.client(kafka, group or f"test-{uuid4()}", instance or str(uuid4()))
    try:
        follower = Follower(client, database, status or Status())
        client.subscribe(list(topics), listener=follower)
        yield follower
    finally:
        client.close(timeout_ms=2000)


def settle(follower):
    """Repeat `consume_batch`, which must bring nothing, until the follower stands in its partitions."""

    def settled():
        assert consume_batch(follower) == 0
        return follower.mysql == "up"

    eventually(settled)


def consume(follower, records):
    """Repeat `consume_batch` until it has applied so many records, and no more than these."""
    applied = 0

    def all_of_them():
        nonlocal applied
        applied += consume_batch(follower)
        return applied >= records

    eventually(all_of_them)
    assert applied == records
