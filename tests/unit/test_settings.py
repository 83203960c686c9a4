"""Each service reads its settings once; a wrong one is named with its value and what is allowed."""

import socket
from collections.abc import Callable
from dataclasses import FrozenInstanceError

import pytest

import balances.settings
import wallet.settings
from common.environment import ConfigurationError

FROM_ENVIRONMENT: list[Callable[[], wallet.settings.Settings | balances.settings.Settings]] = [
    wallet.settings.from_environment,
    balances.settings.from_environment,
]
VARIABLES = ["HOST", "PORT", "HTTP_PROCESSES", "WALLET_TOKEN", "BALANCES_TOKEN", "MYSQL_SSL_CA", "KAFKA_GROUP_ID"]
VARIABLES += [
    "WALLET_URL",
    "BALANCES_URL",
    "KAFKA_INSTANCE_ID",
    "KAFKA_PARTITIONS",
    "KAFKA_REPLICATION",
    "KAFKA_SECURITY_PROTOCOL",
]

both_services = pytest.mark.parametrize("from_environment", FROM_ENVIRONMENT, ids=["wallet", "balances"])


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the two required variables."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATABASE_URL", "mysql://user:secret-password@host/database")
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "one:9092,two:9092")


def test_two_variables_are_enough() -> None:
    wallet_settings, balances_settings = wallet.settings.from_environment(), balances.settings.from_environment()

    assert (wallet_settings.host, wallet_settings.port, wallet_settings.http_processes) == ("127.0.0.1", 8080, 1)
    assert (wallet_settings.kafka_partitions, wallet_settings.kafka_replication) == (1, 1)
    assert wallet_settings.kafka_options["bootstrap_servers"] == ["one:9092", "two:9092"]
    assert balances_settings.port == 3003
    assert (wallet_settings.wallet_url, balances_settings.balances_url) == ("", "")
    assert (balances_settings.kafka_group.name, balances_settings.kafka_group.instance) == (
        "balances",
        socket.gethostname(),
    )


@both_services
def test_settings_never_change_and_show_no_secret(
    monkeypatch: pytest.MonkeyPatch, from_environment: Callable[[], wallet.settings.Settings]
) -> None:
    monkeypatch.setenv("WALLET_TOKEN", "secret-token")
    monkeypatch.setenv("BALANCES_TOKEN", "secret-token")

    settings = from_environment()

    assert settings.token == "secret-token"
    assert "secret" not in repr(settings)
    with pytest.raises(FrozenInstanceError):
        settings.port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("PORT", "http", "PORT must be an integer from 1 to 65535, not 'http'"),
        ("HTTP_PROCESSES", "65", "HTTP_PROCESSES must be an integer from 1 to 64, not '65'"),
        ("KAFKA_PARTITIONS", "0", "KAFKA_PARTITIONS must be an integer from 1 to 65535, not '0'"),
        ("KAFKA_BOOTSTRAP_SERVERS", "", "KAFKA_BOOTSTRAP_SERVERS is required"),
        ("DATABASE_URL", "", "DATABASE_URL is required"),
        ("MYSQL_SSL_CA", "/none.pem", "MYSQL_SSL_CA must name a PEM file with certificates, not '/none.pem'"),
        (
            "KAFKA_SECURITY_PROTOCOL",
            "TLS",
            "KAFKA_SECURITY_PROTOCOL must be one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL, not 'TLS'",
        ),
    ],
)
@both_services
def test_a_wrong_variable_is_named_with_its_value_and_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, from_environment: Callable[[], object], name: str, value: str, error: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(ConfigurationError) as refusal:
        from_environment()

    assert str(refusal.value).startswith(error)
