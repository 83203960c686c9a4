"""A real MySQL and a real Kafka, on databases, topics and consumer groups of the tests' own."""

from contextlib import closing
from decimal import Decimal
from uuid import uuid4

import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient

from common.kafka import client_options
from common.mysql import Database
from tests.environment import needed
from tests.integration import tables
from tests.integration.service import NOWHERE, Service, run_command
from wallet.domain import Account, Client
from wallet.repositories import AccountRepository, ClientRepository


@pytest.fixture(scope="session")
def wallet_url():
    return _migrated("wallet", "TEST_WALLET_DATABASE_URL")


@pytest.fixture(scope="session")
def balances_url():
    return _migrated("balances", "TEST_BALANCES_DATABASE_URL")


@pytest.fixture
def wallet_database(wallet_url):
    """The wallet's tables, empty."""
    return tables.emptied(Database(wallet_url), tables.WALLET)


@pytest.fixture
def bank(wallet_database):
    """The wallet's tables with a client, `ana`, and her accounts `a`, `b` and `c`, of 100 each."""
    with wallet_database.transaction() as cursor:
        ClientRepository(cursor).add(Client("ana", "Ana Souza", "ana@example.com", tables.NOW))
        for account_id in "abc":
            AccountRepository(cursor).add(Account(account_id, "ana", Decimal(100), tables.NOW))
    return wallet_database


@pytest.fixture(scope="module")
def wallet_service(wallet_url, tmp_path_factory):
    """A running Wallet without Kafka: its outbox keeps the events."""
    log = tmp_path_factory.mktemp("wallet") / "log"
    with Service(["-m", "wallet"], log, DATABASE_URL=wallet_url, KAFKA_BOOTSTRAP_SERVERS=NOWHERE) as service:
        yield service


@pytest.fixture
def balances_database(balances_url):
    """The tables of Balances, empty."""
    return tables.emptied(Database(balances_url), tables.BALANCES)


@pytest.fixture(scope="session")
def kafka():
    """The options of every client of the broker."""
    return client_options(needed("TEST_KAFKA_BOOTSTRAP_SERVERS"))


@pytest.fixture(scope="session")
def admin(kafka):
    with closing(KafkaAdminClient(**kafka)) as admin:
        yield admin


@pytest.fixture(scope="session")
def make_topic(admin):
    """Creates topics with unique names, and deletes them at the end."""
    made = []

    def make(partitions=1):
        topic = f"test-{uuid4()}"
        admin.create_topics({topic: {"num_partitions": partitions, "replication_factor": 1}})
        made.append(topic)
        return topic

    yield make
    if made:
        admin.delete_topics(made)


@pytest.fixture
def topic(make_topic):
    return make_topic()


@pytest.fixture(scope="session")
def send(kafka):
    """Sends one record and awaits its acknowledgement."""
    with closing(KafkaProducer(**kafka, acks="all")) as producer:
        yield lambda topic, value, **options: producer.send(topic, value=value, **options).get(timeout=10)


def _migrated(service, variable):
    url = needed(variable)
    tables.drop_all(Database(url))
    migration = run_command(service, url, "migrate")
    assert migration.returncode == 0, migration.stdout + migration.stderr
    return url
