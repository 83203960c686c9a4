"""A log that lost its newest records and has grown past the stored offset again, by other records."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient

from common.events.offsets import announce_required
from common.kafka import client_options
from common.mysql import Database
from tests.events import balance_announced
from tests.integration.consumers import consume, consumer_of
from tests.integration.tables import rows
from tests.kafka_broker import KafkaBroker

TOPIC = "cut"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[KafkaBroker]:
    with KafkaBroker(tmp_path) as broker:
        with closing(KafkaAdminClient(**client_options(broker.address))) as admin:
            admin.create_topics({TOPIC: {"num_partitions": 1, "replication_factor": 1}})
        yield broker


def announce(broker: KafkaBroker, *accounts: str) -> None:
    """Write a balance for each account."""
    with closing(KafkaProducer(**client_options(broker.address))) as producer:
        for account in accounts:
            producer.send(TOPIC, balance_announced(account), headers=[("sequence", b"1")]).get(timeout=20)


def test_a_log_that_was_cut_while_balances_was_stopped_is_read_on_from_the_cut(
    broker: KafkaBroker, balances_database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options, log, kept = client_options(broker.address), broker.log_of(TOPIC), tmp_path / "kept"
    announce(broker, "kept-1", "kept-2")
    broker.kill()
    shutil.copytree(log, kept)
    broker.start()
    announce(broker, "cut-1", "cut-2")
    with consumer_of(options, balances_database, TOPIC) as worker:
        consume(worker, 4)
    broker.kill()
    shutil.rmtree(log)
    kept.rename(log)
    broker.start()
    announce(broker, "new-1", "new-2", "new-3", "new-4")

    with consumer_of(options, balances_database, TOPIC) as worker:
        consume(worker, 4)

    accounts = {account for (account,) in rows(balances_database, "SELECT account_id FROM balances")}
    warnings = [line.message for line in caplog.records if line.levelname == "WARNING" and line.name == "consumer"]
    assert accounts >= {"new-1", "new-2", "new-3", "new-4"}
    assert rows(balances_database, "SELECT next_offset FROM consumer_offsets") == ((6,),)
    assert warnings == ["the log was truncated"]
    assert balances_database.read(announce_required)
