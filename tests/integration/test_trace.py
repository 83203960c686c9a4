"""A traceparent follows a transfer: from the request through the outbox and Kafka into the log of Balances."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from common.events.outbox import Event, Outbox
from common.events.relay import relay_batch
from common.mysql import Database
from tests.events import balance_announced
from tests.eventually import eventually
from tests.integration import tables
from tests.integration.service import Service, balances_on


@pytest.fixture
def trace() -> str:
    return f"00-{uuid4().hex}-00f067aa0ba902b7-01"


@pytest.mark.parametrize("valid", [True, False], ids=["valid", "invalid"])
def test_wallet_stores_a_valid_traceparent_with_each_event_and_logs_it(
    bank: Database, wallet_service: Service, trace: str, valid: bool
) -> None:
    headers = {"traceparent": trace if valid else trace.upper(), "X-Request-Id": trace[3:35]}
    body = {"account_id_from": "a", "account_id_to": "b", "amount": 1}

    response = requests.post(f"{wallet_service.url}/transactions", json=body, headers=headers, timeout=10)

    assert response.status_code == 201
    assert tables.rows(bank, "SELECT traceparent FROM outbox") == ((trace if valid else None,),) * 2
    lines = eventually(lambda: [each for each in wallet_service.lines("request") if each["request_id"] == trace[3:35]])
    assert [line.get("traceparent") for line in lines] == [trace if valid else None]


def test_the_relay_sends_the_traceparent_as_a_header(
    wallet_database: Database, kafka: dict[str, Any], topic: str, trace: str
) -> None:
    with wallet_database.transaction() as cursor:
        Outbox(cursor).add([Event(topic, "ana", "{}", 1)], "r-1", trace)
        Outbox(cursor).add([Event(topic, "ana", "{}", 2)], "r-2")

    with closing(wallet_database.connect()) as connection, closing(KafkaProducer(**kafka, acks="all")) as producer:
        relay_batch(connection, producer)

    with closing(KafkaConsumer(**kafka, auto_offset_reset="earliest")) as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        records: list[Any] = []
        eventually(lambda: records.extend(*consumer.poll(300).values() or [()]) or len(records) == 2)
    assert [dict(record.headers).get("traceparent") for record in records] == [trace.encode(), None]


def test_balances_logs_the_traceparent_of_what_it_applies(
    balances_database: Database,
    balances_url: str,
    kafka: dict[str, Any],
    topic: str,
    send: Callable[..., Any],
    trace: str,
    tmp_path: Path,
) -> None:
    send(topic, balance_announced(), headers=[("sequence", b"1"), ("traceparent", trace.encode())])

    with Service(
        balances_on(topic),
        tmp_path / "log",
        DATABASE_URL=balances_url,
        KAFKA_BOOTSTRAP_SERVERS=",".join(kafka["bootstrap_servers"]),
        KAFKA_GROUP_ID=topic,
    ) as service:
        (line,) = eventually(lambda: service.lines("batch"), seconds=30)

    assert line["traceparents"] == [trace]
