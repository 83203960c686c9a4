"""A real MySQL and a real Kafka for the toy pair, with separate databases and a topic for each test."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any
from uuid import uuid4

import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient

from common.kafka import client_options
from common.mysql import Database
from tests.environment import needed
from tests.toy.tables import created, emptied


@pytest.fixture(scope="session")
def orders_url() -> str:
    return created(needed("TEST_TOY_ORDERS_DATABASE_URL"), "orders")


@pytest.fixture(scope="session")
def stock_url() -> str:
    return created(needed("TEST_TOY_STOCK_DATABASE_URL"), "stock")


@pytest.fixture
def orders_database(orders_url: str) -> Database:
    return emptied(Database(orders_url))


@pytest.fixture
def stock_database(stock_url: str) -> Database:
    return emptied(Database(stock_url))


@pytest.fixture(scope="session")
def kafka() -> dict[str, Any]:
    """The options of every client of the broker."""
    return client_options(needed("TEST_KAFKA_BOOTSTRAP_SERVERS"))


@pytest.fixture
def topic(kafka: dict[str, Any]) -> Iterator[str]:
    name = f"test-{uuid4()}"
    with closing(KafkaAdminClient(**kafka)) as admin:
        admin.create_topics({name: {"num_partitions": 1, "replication_factor": 1}})
        yield name
        admin.delete_topics([name])


@pytest.fixture
def producer(kafka: dict[str, Any]) -> Iterator[KafkaProducer]:
    with closing(KafkaProducer(**kafka, acks="all")) as producer:
        yield producer
