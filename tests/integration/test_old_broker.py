"""The pipeline, end to end, on a broker of an older Kafka, before topics had ids.

OLD_KAFKA names other versions to test: `OLD_KAFKA=2.4.1,2.8.2,3.3.2 ./local.sh test tests/integration -k old_broker`.
"""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import requests
from kafka import KafkaProducer

from common.events.offsets import Partition, read_all
from common.kafka import client_options
from common.mysql import Database
from tests.eventually import eventually
from tests.http_api import transfer_body
from tests.integration.old_broker import old_broker
from tests.integration.service import Service
from tests.integration.tables import execute, rows

VERSIONS = os.environ.get("OLD_KAFKA", "2.7.0").split(",")
HAS_TOPIC_IDS = ("2.8", "3.")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def broker(version: str, tmp_path: Path) -> Iterator[str]:
    with old_broker(version, tmp_path) as broker:
        yield broker.address


def get(url: str) -> Any:
    return requests.get(url, timeout=5).json()


def transfer(wallet: Service, amount: int) -> None:
    body = transfer_body("a", "b", amount)
    assert requests.post(f"{wallet.url}/transactions", json=body, timeout=5).status_code == 201


def test_a_transfer_reaches_the_projection_through_an_older_broker(
    version: str,
    broker: str,
    tmp_path: Path,
    wallet_url: str,
    wallet_database: Database,
    balances_url: str,
    balances_database: Database,
) -> None:
    execute(wallet_database, "INSERT INTO clients (id, name, email) VALUES ('c', 'Carla', 'c@example.com')")
    execute(wallet_database, "INSERT INTO accounts (id, client_id, balance) VALUES ('a', 'c', 100), ('b', 'c', 100)")
    own = {"KAFKA_BOOTSTRAP_SERVERS": broker, "KAFKA_PARTITIONS": "2", "KAFKA_INSTANCE_ID": "old"}
    with Service(["-m", "wallet"], tmp_path / "wallet.log", DATABASE_URL=wallet_url, **own) as wallet:
        with Service(["-m", "balances"], tmp_path / "balances.log", DATABASE_URL=balances_url, **own) as balances:
            transfer(wallet, 10)
            eventually(lambda: held(balances) == (90, 110), seconds=30)
            ready = eventually(
                lambda: consuming if (consuming := ready_of(balances))["consumer"] == "consuming" else None
            )
        transfer(wallet, 5)
        with Service(["-m", "balances"], tmp_path / "balances.log", DATABASE_URL=balances_url, **own) as balances:
            eventually(lambda: held(balances) == (85, 115), seconds=30)
            relay = get(f"{wallet.url}/ready")
            with closing(KafkaProducer(**client_options(broker))) as producer:
                for topic in ("accounts", "balances"):  # at offset 0 of both
                    producer.send(topic, value=b"garbage", partition=free_partition(balances_database)).get(timeout=10)
            eventually(lambda: ready_of(balances)["parked"] == 2)

    stored = balances_database.read(read_all, ["accounts", "balances"])
    assert (ready["kafka"], relay["relay"], relay["kafka"]) == ("up", "leader", "up")
    assert all(bool(each.topic_id) == version.startswith(HAS_TOPIC_IDS) for each in stored.values())
    weaker = "the broker has no topic ids: a re-created topic is recognised by its offsets alone"
    assert ready["problems"] == ([] if version.startswith(HAS_TOPIC_IDS) else [weaker])
    assert {topic for (topic,) in rows(balances_database, "SELECT topic FROM dead_letters")} == {"accounts", "balances"}


def test_an_advertised_host_that_cannot_be_resolved_is_named_once_in_the_log_and_in_ready(
    tmp_path: Path, wallet_url: str, balances_url: str
) -> None:
    problem = "the broker advertises kafka.nowhere.invalid:9092, which this machine cannot resolve"
    with ExitStack() as stack:
        broker = stack.enter_context(old_broker("2.7.0", tmp_path, advertised="kafka.nowhere.invalid:9092"))
        address = broker.address
        services = [
            stack.enter_context(
                Service(["-m", module], tmp_path / f"{module}.log", DATABASE_URL=url, KAFKA_BOOTSTRAP_SERVERS=address)
            )
            for module, url in (("wallet", wallet_url), ("balances", balances_url))
        ]
        for service in services:
            eventually(lambda service=service: ready_of(service)["problems"] == [problem], seconds=10)
        outlast_retries(services)

    assert [service.log.read_text().count("kafka.nowhere.invalid") for service in services] == [1, 1]


@pytest.mark.parametrize("module", ["wallet", "balances"])
def test_a_server_that_is_no_broker_for_clients_is_named_in_the_log_and_in_ready(
    module: str, tmp_path: Path, wallet_url: str, balances_url: str
) -> None:
    url = {"wallet": wallet_url, "balances": balances_url}[module]
    controller = f"127.0.0.1:{needed('KAFKA_CONTROLLER_PORT')}"  # it answers, and has no topics for clients
    environment = {"DATABASE_URL": url, "KAFKA_BOOTSTRAP_SERVERS": controller}
    with Service(["-m", module], tmp_path / "log", **environment) as service:
        (problem,) = eventually(lambda: ready_of(service)["problems"], seconds=10)

    assert problem.startswith(f"{controller} is no Kafka broker that clients can use: ")
    assert service.log.read_text().count(f"{controller} is no Kafka broker") == 1


def ready_of(service: Service) -> Any:
    return get(f"{service.url}/ready")


def held(balances: Service) -> tuple[Any, ...]:
    return tuple(get(f"{balances.url}/balances/{account_id}").get("balance") for account_id in "ab")


def free_partition(database: Database) -> int:
    """The one to which no event of account `a` went."""
    stored = database.read(read_all, ["balances"])
    return next(number for number in range(2) if stored[Partition("balances", number)].next_offset == 0)


def needed(variable: str) -> str:
    return os.environ.get(variable) or pytest.skip(f"{variable} is not set; ./local.sh test sets it")


def outlast_retries(services: list[Service]) -> None:
    """Wait until each service has tried again a few times: it does so every second at least."""
    began = time.monotonic()
    eventually(lambda: time.monotonic() - began > 5, seconds=15)
    assert all(ready_of(service)["kafka"] == "down" for service in services)
