"""A user to whom Kafka's ACLs do not allow what a service does."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    KafkaAdminClient,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
)

from common.kafka import client_options, ensure_topics
from tests.eventually import eventually
from tests.integration.service import Service, balances_on
from tests.security.conftest import KAFKA_USER
from tests.security.test_tls_and_passwords import run_command

REPORT_SECONDS = 10
# Accounts that no other test on these servers uses: such a test may start before this transfer is applied.
FROM, TO = "a0000000-0000-4000-8000-000000000003", "a0000000-0000-4000-8000-000000000004"
RESOURCES = {"topic": ResourceType.TOPIC, "group": ResourceType.GROUP}


@pytest.fixture
def refuse(kafka_ports: dict[str, int]) -> Callable[..., Any]:
    """Denies the services' user one right on a topic or a group, until the end of the block."""

    @contextmanager
    def refuse(kind: str, name: str, operation: ACLOperation) -> Iterator[None]:
        pattern = ResourcePattern(RESOURCES[kind], name)
        user = f"User:{KAFKA_USER}"
        with closing(KafkaAdminClient(**client_options(f"127.0.0.1:{kafka_ports['PLAINTEXT']}"))) as admin:
            admin.create_acls(
                [
                    ACL(user, "*", ACLOperation.ALL, ACLPermissionType.ALLOW, pattern),
                    ACL(user, "*", operation, ACLPermissionType.DENY, pattern),
                ]
            )
            yield
            every = ResourcePatternFilter(RESOURCES[kind], name, pattern.pattern_type)
            admin.delete_acls([ACLFilter(user, "*", ACLOperation.ANY, ACLPermissionType.ANY, every)])

    return refuse


def ready(service: Service) -> Any:
    return requests.get(f"{service.url}/ready", timeout=5).json()


@pytest.mark.parametrize("right", ["read the topic", "describe the topic", "join the group"])
def test_balances_names_the_right_that_it_lacks_once_and_works_once_it_is_granted(
    right: str, kafka_ports: dict[str, int], environment_of: Any, refuse: Any, tmp_path: Path
) -> None:
    topic = f"test-{uuid4()}"
    lacks = {
        "read the topic": ("topic", ACLOperation.READ, f"read topic {topic}: allow Read and Describe on each topic"),
        "describe the topic": ("topic", ACLOperation.DESCRIBE, f"read topic {topic}: allow Read and Describe on each"),
        "join the group": ("group", ACLOperation.READ, f"join group {topic}: allow Read on the group"),
    }
    kind, operation, remedy = lacks[right]
    reason = f"Kafka does not authorize this user to {remedy}"
    ensure_topics(client_options(f"127.0.0.1:{kafka_ports['PLAINTEXT']}"), [topic], 1, 1)
    environment = environment_of("balances", KAFKA_GROUP_ID=topic)
    run_command("balances", "migrate", environment, tmp_path / "migrate.log")

    with Service(balances_on(topic), tmp_path / "log", **environment) as balances:
        with refuse(kind, topic, operation):
            eventually(lambda: reason in str(ready(balances).get("failing")), seconds=REPORT_SECONDS)
        eventually(lambda: ready(balances)["status"] == "ready", seconds=20)
        eventually(lambda: ready(balances)["consumer"] == "consuming", seconds=20)

    failures = balances.lines("worker failed: restarting it")
    assert [reason in line["error"] for line in failures] == [True]


def test_wallet_names_the_topic_that_it_may_not_write_once_and_publishes_once_it_may(
    environment_of: Any, refuse: Any, tmp_path: Path
) -> None:
    for command in ("migrate", "seed"):
        run_command("wallet", command, environment_of("wallet"), tmp_path / "command.log")

    with Service(["-m", "wallet"], tmp_path / "log", **environment_of("wallet")) as wallet:
        eventually(lambda: ready(wallet)["relay"] == "leader", seconds=20)
        with refuse("topic", "transactions", ACLOperation.WRITE):
            transfer = {"account_id_from": FROM, "account_id_to": TO, "amount": 1}
            answer = requests.post(f"{wallet.url}/transactions", json=transfer, timeout=5)
            reason = "Kafka does not authorize this user to write to topic transactions: allow this user to write"
            eventually(lambda: reason in str(ready(wallet)["problems"]), seconds=REPORT_SECONDS)
            stored = ready(wallet)["status"], ready(wallet)["outbox_rows"]
        eventually(lambda: ready(wallet)["outbox_rows"] == 0, seconds=20)

    changes = wallet.lines("relay status changed")
    assert answer.status_code == 201
    assert stored[0] == "ready"
    assert stored[1] > 0
    assert len([line for line in changes if reason in line.get("reason", "")]) == 1
