"""Partitions that are added to a topic later are consumed too, also if a member was not running then."""

from uuid import uuid4

import pytest

from tests.events import balance_announced
from tests.eventually import eventually
from tests.integration.consumers import consumer_of, initialize, step
from tests.integration.tables import value

ANNOUNCED = balance_announced("ana")


@pytest.mark.timeout(90)
def test_partitions_added_after_a_member_came_back_under_its_name_are_read(
    kafka, admin, send, balances_database, topic
):
    one = {"group": f"test-{uuid4()}", "instance": "balances"}
    with consumer_of(kafka, balances_database, topic, **one) as worker:
        initialize(worker)
    with consumer_of(kafka, balances_database, topic, **one) as worker:
        initialize(worker)
        admin.create_partitions({topic: 2})
        send(topic, ANNOUNCED, key=b"ana", partition=1)

        def read():
            step(worker)
            return value(balances_database, "SELECT COUNT(*) FROM balances")

        assert eventually(read, seconds=60) == 1
