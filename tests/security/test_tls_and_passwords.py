"""Kafka and MySQL that require TLS and a password: a service connects to them, and publishes no secret."""

import os
import subprocess
import sys
import threading
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import pytest
import requests
from kafka import KafkaProducer

from common.kafka import client_options, ensure_topics, security
from common.mysql import Database, DatabaseUnavailable
from tests.eventually import eventually
from tests.integration.service import ROOT, Service
from tests.security.conftest import PASSWORD, mysql_url
from tests.seeds import skip_without_seeds

WRONG = "wr0ng-S3cret"
SECRETS = (PASSWORD, quote(PASSWORD, safe=""), WRONG, "S3cret")
FROM, TO = "a0000000-0000-4000-8000-000000000001", "a0000000-0000-4000-8000-000000000002"


def test_a_transfer_travels_where_everything_demands_tls_and_a_password(environment_of, tmp_path):
    skip_without_seeds()
    with seen_in_ps() as commands:
        for service in ("wallet", "balances"):
            run_command(service, "migrate", environment_of(service), tmp_path / f"{service}.log")
            run_command(service, "seed", environment_of(service), tmp_path / f"{service}.log")
    with (
        Service(["-m", "wallet"], tmp_path / "wallet.log", **environment_of("wallet")) as wallet,
        Service(["-m", "balances"], tmp_path / "balances.log", **environment_of("balances")) as balances,
    ):
        known = balance(balances, FROM)

        answer = requests.post(
            f"{wallet.url}/transactions", json={"account_id_from": FROM, "account_id_to": TO, "amount": 1}, timeout=5
        )

        assert answer.status_code == 201, answer.text
        eventually(lambda: balance(balances, FROM) == known - 1, seconds=20)
    assert any("dbmate" in command for command in commands)
    assert_no_secret(*commands, wallet.log.read_text(), balances.log.read_text())


@pytest.mark.parametrize(
    ("protocol", "mechanism"),
    [
        ("PLAINTEXT", ""),
        ("SSL", ""),
        ("SASL_PLAINTEXT", "SCRAM-SHA-256"),
        ("SASL_SSL", "PLAIN"),
        ("SASL_SSL", "SCRAM-SHA-256"),
        ("SASL_SSL", "SCRAM-SHA-512"),
    ],
)
def test_kafka_is_reached_over(protocol, mechanism, kafka_ports, kafka_environment, monkeypatch):
    chosen = {"KAFKA_SECURITY_PROTOCOL": protocol, "KAFKA_SASL_MECHANISM": mechanism}
    for name, value in {**kafka_environment, **chosen}.items():
        monkeypatch.setenv(name, value)
    options, topic = client_options(f"127.0.0.1:{kafka_ports[protocol]}", security()), f"test-{uuid4()}"

    ensure_topics(options, [topic], 1, 1)
    with closing(KafkaProducer(**options)) as producer:
        record = producer.send(topic, b"hello").get(timeout=10)

    assert record.offset == 0


@pytest.mark.parametrize("wrong", ["password", "certificate"])
def test_a_refusal_of_kafka_is_one_clear_log_line(wrong, environment_of, stranger, tmp_path):
    if wrong == "password":
        changes, reason = {"KAFKA_SASL_PASSWORD": WRONG}, "Authentication failed"
    else:
        changes, reason = {"KAFKA_SSL_CA_FILE": str(stranger.certificate)}, "CERTIFICATE_VERIFY_FAILED"
    run_command("wallet", "migrate", environment_of("wallet"), tmp_path / "migrate.log")

    with Service(["-m", "wallet"], tmp_path / "wallet.log", **environment_of("wallet", **changes)) as wallet:
        eventually(lambda: reason in wallet.log.read_text(), seconds=20)
        eventually(lambda: requests.get(f"{wallet.url}/ready", timeout=5).json()["kafka"] == "down", seconds=20)

    lines = [line for line in wallet.log.read_text().splitlines() if '"request"' not in line]
    assert len([line for line in lines if reason in line]) == 1
    assert len(lines) < 20
    assert "Traceback" not in wallet.log.read_text()
    assert_no_secret(*lines)


@pytest.mark.parametrize("wrong", ["password", "certificate", "name"])
def test_a_refusal_of_mysql_is_one_clear_log_line(wrong, environment_of, stranger, mysql_port, tmp_path):
    reason, log = "MYSQL_SSL_CA does not verify the certificate of MySQL", tmp_path / "migrate.log"
    if wrong == "password":
        reason = "MySQL refuses the user or the password"
        changes = {"MIGRATIONS_DATABASE_URL": mysql_url("wallet_owner", mysql_port, WRONG)}
    elif wrong == "certificate":
        changes = {"MYSQL_SSL_CA": str(stranger.certificate)}
    else:  # the certificate is 127.0.0.1's
        changes = {"MIGRATIONS_DATABASE_URL": mysql_url("wallet_owner", mysql_port, host="localhost")}

    migrating = start_command("wallet", "migrate", environment_of("wallet", **changes), log)
    try:
        eventually(lambda: log.read_text().endswith("\n"), seconds=20)
    finally:
        migrating.kill()
        migrating.wait()

    assert reason in log.read_text()
    assert len(log.read_text().splitlines()) == 1
    assert_no_secret(log.read_text())


def test_a_service_sends_its_password_to_nobody_it_does_not_trust(mysql_port, stranger):
    database = Database(mysql_url("wallet", mysql_port), str(stranger.certificate))

    with pytest.raises(DatabaseUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
        database.connect()


def test_a_connection_over_tls_serves_again_and_again(environment_of, mysql_port):
    database = Database(mysql_url("wallet", mysql_port), environment_of("wallet")["MYSQL_SSL_CA"])

    assert len({database.read(connection_id) for _ in range(3)}) == 1


def test_a_failed_migration_does_not_print_the_password(environment_of, mysql_port, tmp_path):
    run_command("wallet", "migrate", environment_of("wallet"), tmp_path / "migrate.log")
    service_itself = mysql_url("wallet", mysql_port)  # who may not drop a table
    log = tmp_path / "rollback.log"

    code = start_command(
        "wallet", "rollback", environment_of("wallet", MIGRATIONS_DATABASE_URL=service_itself), log
    ).wait(30)

    assert code == 1
    assert "command denied" in log.read_text()
    assert_no_secret(log.read_text())


@pytest.mark.parametrize("password", ["pa/S3cret", "pa#S3cret", "pa?S3cret", "[pa]S3cret"])
def test_a_url_that_cannot_be_read_is_not_printed(password, environment_of, tmp_path):
    url, log = f"mysql://wallet:{password}@127.0.0.1:3306/wallet", tmp_path / "migrate.log"

    code = start_command("wallet", "migrate", environment_of("wallet", MIGRATIONS_DATABASE_URL=url), log).wait(
        timeout=30
    )

    assert code == 1
    assert log.read_text().startswith(
        "DATABASE_URL (or MIGRATIONS_DATABASE_URL) has the form mysql://user:password@host:port/database"
    )
    assert_no_secret(log.read_text())


def connection_id(cursor):
    cursor.execute("SELECT CONNECTION_ID()")
    return cursor.fetchone()


def run_command(service, command, environment, log):
    assert start_command(service, command, environment, log).wait(timeout=40) == 0, log.read_text()


def start_command(service, command, environment, log):
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", f"{service}.ops", command],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def balance(balances, account_id):
    return requests.get(f"{balances.url}/balances/{account_id}", timeout=5).json()["balance"]


@contextmanager
def seen_in_ps():
    """A set that fills with the command lines of all processes of the machine, as anybody on it may read them."""
    commands, done = set(), threading.Event()

    def collect():
        while not done.wait(0.01):
            for process in Path("/proc").glob("[0-9]*"):
                with suppress(OSError):  # it has ended
                    commands.add((process / "cmdline").read_text(errors="replace").replace("\0", " "))

    collecting = threading.Thread(target=collect)
    collecting.start()
    try:
        yield commands
    finally:
        done.set()
        collecting.join()


def assert_no_secret(*texts):
    for text in texts:
        assert not [secret for secret in SECRETS if secret in text], text
