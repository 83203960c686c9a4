"""What /metrics reports, compared with what happened."""

from datetime import datetime
from decimal import Decimal
from uuid import uuid4

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

import balances.metrics
from balances import projection
from balances.messages import Balance
from common.worker_status import WorkerStatus
from tests.events import balance_announced
from tests.eventually import eventually
from tests.http_api import transfer_body
from tests.integration.consumers import consume, consumer_of, initialize
from tests.integration.service import NOWHERE, Service
from tests.integration.tables import execute


@pytest.fixture
def wallet(wallet_url, wallet_database, tmp_path):
    """The wallet's service in two processes, without a Kafka, and two accounts of 100 each."""
    execute(wallet_database, "INSERT INTO clients (id, name, email) VALUES ('c', 'Carla', 'c@example.com')")
    execute(wallet_database, "INSERT INTO accounts (id, client_id, balance) VALUES ('a', 'c', 100), ('b', 'c', 100)")
    environment = {"DATABASE_URL": wallet_url, "KAFKA_BOOTSTRAP_SERVERS": NOWHERE, "HTTP_PROCESSES": "2"}
    with Service(["-m", "wallet"], tmp_path / "wallet.log", **environment) as service:
        yield service


def test_each_process_reports_what_all_of_them_counted(wallet):
    for _ in range(40):
        requests.get(f"{wallet.url}/accounts/a", timeout=5)

    reported = [
        scraped(wallet.url)["http_requests_total", "GET", "/accounts/<account_id:id>", "200"] for _ in range(10)
    ]

    assert reported == [40] * 10


def test_the_processes_share_their_metrics_in_a_folder_that_goes_with_them(wallet_url, tmp_path):
    environment = {"DATABASE_URL": wallet_url, "KAFKA_BOOTSTRAP_SERVERS": NOWHERE, "TMPDIR": str(tmp_path)}
    with Service(["-m", "wallet"], tmp_path / "log", HTTP_PROCESSES="2", **environment) as service:
        requests.get(f"{service.url}/health", timeout=5)
        folders = list(tmp_path.glob("metrics-*"))
        service.stop()

    assert len(folders) == 1
    assert not folders[0].exists()


def test_transfers_are_counted_by_what_became_of_them(wallet):
    key = {"Idempotency-Key": str(uuid4())}

    transfer(wallet, "a", "b", 10, headers=key)
    transfer(wallet, "a", "b", 10, headers=key)
    transfer(wallet, "a", "b", 1000)
    transfer(wallet, "a", "a", 1)
    transfer(wallet, "a", "nobody", 1)
    transfer(wallet, "a", "b", "ten")

    reported = scraped(wallet.url)
    outcomes = {outcome[0]: number for (name, *outcome), number in reported.items() if name == "wallet_transfers_total"}
    assert outcomes == {
        "done": 1,
        "replayed": 1,
        "InsufficientFunds": 1,
        "SameAccount": 1,
        "AccountNotFound": 1,
        "BadRequest": 1,
    }


def test_an_outage_of_kafka_is_seen_in_the_outbox(wallet):
    transfer(wallet, "a", "b", 10)

    assert scraped(wallet.url)["wallet_outbox_rows",] == 2
    eventually(lambda: scraped(wallet.url)["wallet_outbox_oldest_seconds",] > 0.1)
    eventually(lambda: scraped(wallet.url).get(("kafka_up",)) == 0, seconds=20)
    assert scraped(wallet.url)["mysql_up",] == 1


def test_without_mysql_the_page_still_answers(tmp_path):
    environment = {"DATABASE_URL": "mysql://nobody:nothing@127.0.0.1:1/none", "KAFKA_BOOTSTRAP_SERVERS": NOWHERE}
    with Service(["-m", "wallet"], tmp_path / "wallet.log", **environment) as service:
        reported = scraped(service.url)

    assert reported["mysql_up",] == 0
    assert ("wallet_outbox_rows",) not in reported


def test_events_are_counted_as_applied_stale_or_parked(kafka, balances_database, topic, send):
    status = WorkerStatus()
    with consumer_of(kafka, balances_database, topic, status=status) as worker:
        initialize(worker)
        for sequence in (1, 2, 3, 2):
            send(topic, balance_announced("a", sequence), headers=[("sequence", str(sequence).encode())])
            consume(worker, 1)
        send(topic, b"garbage")
        consume(worker, 1)
        worker.maintain()

        reported = {name: value for name, value in reported_by(status, balances_database).items() if topic not in name}

    assert reported["balances_events_total", "applied"] == 4
    assert reported["balances_events_total", "parked"] == 1
    assert reported["balances_stale_total",] == 1
    assert reported["balances_dead_letters",] == 1
    assert reported["balances_partitions_consumed",] == reported["balances_partitions",] == 1


def test_every_stale_row_of_a_large_batch_is_counted(balances_database):
    """The client splits the statement of so many rows into several."""
    batch = [Balance(f"{number:0200}", Decimal(1), 7, datetime(2026, 11, 25)) for number in range(10_000)]
    with balances_database.transaction() as cursor:
        first = projection.apply(cursor, batch)

    with balances_database.transaction() as cursor:
        again = projection.apply(cursor, batch)

    assert (first, again) == (0, 10_000)


def test_stale_rows_are_distinguished_from_new_and_changed_ones_within_a_batch(kafka, balances_database, topic, send):
    for account in ("known", "ahead"):
        execute(balances_database, "INSERT INTO balances (account_id, balance, sequence) VALUES (%s, 1, 50)", account)
    for account, sequence in (("new", 60), ("known", 60), ("ahead", 40)):
        send(topic, balance_announced(account, 5), headers=[("sequence", str(sequence).encode())])
    status = WorkerStatus()

    with consumer_of(kafka, balances_database, topic, status=status) as worker:
        consume(worker, 3)
        worker.maintain()

    assert reported_by(status, balances_database)["balances_stale_total",] == 1


def test_lag_is_reported_in_records_and_in_seconds(kafka, balances_database, topic, send):
    status = WorkerStatus()
    with consumer_of(kafka, balances_database, topic, status=status) as worker:
        initialize(worker)
        eventually(
            lambda: (
                (worker.maintain(), reported_by(status, balances_database))[1].get(("balances_lag_seconds", "0", topic))
                == 0
            )
        )
        for _ in range(3):
            send(topic, balance_announced("a", 1))

        def behind():
            worker.maintain()  # without reading
            reported = reported_by(status, balances_database)
            return (
                reported["balances_lag_records", "0", topic] == 3 and reported["balances_lag_seconds", "0", topic] > 0.1
            )

        eventually(behind)
        consume(worker, 3)
        worker.maintain()

    reported = reported_by(status, balances_database)
    assert reported["balances_lag_records", "0", topic] == reported["balances_lag_seconds", "0", topic] == 0


def transfer(wallet, source, target, amount, **options):
    return requests.post(f"{wallet.url}/transactions", json=transfer_body(source, target, amount), timeout=5, **options)


def scraped(url):
    """{(name, *label values): value}, by a connection of its own: any process may answer it."""
    response = requests.get(f"{url}/metrics", timeout=5)
    assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return flat(text_string_to_metric_families(response.text))


def reported_by(status, database):
    return flat(balances.metrics.collect(database, status))


def flat(families):
    samples = (sample for family in families for sample in family.samples)
    return {(each.name, *(each.labels[label] for label in sorted(each.labels))): each.value for each in samples}
