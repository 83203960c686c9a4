"""A broker of Kafka 2.7 with ZooKeeper, whose topics have no ids: it and Balances are killed under load."""

from collections.abc import Iterator

import pytest

from tests.faults import scene as scenes
from tests.faults.scene import Scene, Stage
from tests.integration.old_broker import OldBroker, old_broker

VERSION = "2.7.0"
BACK_SECONDS = 15

pytestmark = pytest.mark.timeout(240, func_only=True)


@pytest.fixture(scope="module")
def broker(system_to_break: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OldBroker]:
    with old_broker(VERSION, tmp_path_factory.mktemp("broker")) as broker:
        yield broker


@pytest.fixture(scope="module")
def stage(broker: OldBroker) -> Iterator[Stage]:
    with scenes.stage(KAFKA_BOOTSTRAP_SERVERS=broker.address) as stage:
        yield stage


def test_nothing_is_lost_or_doubled_when_an_old_broker_and_balances_are_killed(scene: Scene, broker: OldBroker) -> None:
    scene.load()

    for _ in range(2):
        broker.kill()
        scene.system.kill("balances")
        broker.start()
        scene.system.start("balances")
        took = scene.through(limit=BACK_SECONDS)
        print(f"\nKafka {VERSION} and Balances killed: transfers were read again {took:.1f} s after they were back")
