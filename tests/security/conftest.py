"""A database server and a broker that demand TLS and a password, with certificates made for the day."""

from urllib.parse import quote

import pytest

from tests.database_server import database_server
from tests.kafka_broker import KafkaBroker
from tests.security.certificates import Authority

PASSWORD = "S3cret-%40/:#?"  # of an unusual form; must never be in a log
KAFKA_USER = "service"


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def stranger(tmp_path_factory):
    """An authority that has signed no certificate of these servers."""
    return Authority(tmp_path_factory.mktemp("stranger"))


@pytest.fixture
def kafka_environment(authority, tmp_path):
    return {
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "KAFKA_SASL_USERNAME": KAFKA_USER,
        "KAFKA_SASL_PASSWORD_FILE": _file(tmp_path / "kafka-password", PASSWORD),
        "KAFKA_SSL_CA_FILE": str(authority.certificate),
    }


@pytest.fixture
def environment_of(authority, mysql_port, kafka_ports, kafka_environment, tmp_path):
    """The environment of a service, its secrets in files; with changes: a variable takes the place of its _FILE."""

    def of(service, **changes):
        environment = {
            **kafka_environment,
            "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{kafka_ports['SASL_SSL']}",
            "MYSQL_SSL_CA": str(authority.certificate),
            "DATABASE_URL_FILE": _file(tmp_path / service, mysql_url(service, mysql_port)),
            "MIGRATIONS_DATABASE_URL_FILE": _file(tmp_path / "owner", mysql_url(f"{service}_owner", mysql_port)),
            **changes,
        }
        return {name: value for name, value in environment.items() if name not in {f"{each}_FILE" for each in changes}}

    return of


def mysql_url(user, port, password=PASSWORD, host="127.0.0.1"):
    return f"mysql://{user}:{quote(password, safe='')}@{host}:{port}/{user.removesuffix('_owner')}"


@pytest.fixture(scope="session")
def mysql_port(authority, tmp_path_factory):
    """A server that refuses connections without TLS; the users of both services have the PASSWORD."""
    users = ("wallet", "balances", "wallet_owner", "balances_owner")
    options = [
        "--character-set-server=utf8mb4",
        f"--ssl-ca={authority.certificate}",
        f"--ssl-cert={authority.server_certificate}",
        f"--ssl-key={authority.server_key}",
        "--require-secure-transport=ON",
    ]
    passwords = [f"ALTER USER '{user}'@'%' IDENTIFIED BY '{PASSWORD}'" for user in users]
    login = {"user": "balances", "password": PASSWORD, "ssl_ca": str(authority.certificate)}
    with database_server(tmp_path_factory.mktemp("mysql"), options, passwords, login) as server:
        yield server.port


@pytest.fixture(scope="session")
def kafka_ports(authority, tmp_path_factory):
    """{protocol: port} of a broker with a listener for each."""
    protocols = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
    settings = {
        "listener.security.protocol.map": ",".join(f"{each}:{each}" for each in protocols) + ",CONTROLLER:PLAINTEXT",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": authority.server_both,
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
        # Everything is allowed until a test adds an ACL, as a client of the listener without TLS and passwords.
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "true",
        "super.users": "User:ANONYMOUS",
    }
    module = "org.apache.kafka.common.security"
    for listener in ("sasl_plaintext", "sasl_ssl"):
        prefix = f"listener.name.{listener}"
        plain = f'{module}.plain.PlainLoginModule required user_{KAFKA_USER}="{PASSWORD}";'
        settings[f"{prefix}.plain.sasl.jaas.config"] = plain
        for mechanism in ("scram-sha-256", "scram-sha-512"):
            settings[f"{prefix}.{mechanism}.sasl.jaas.config"] = f"{module}.scram.ScramLoginModule required;"
    scram = [f"SCRAM-SHA-{bits}=[name={KAFKA_USER},password={PASSWORD}]" for bits in (256, 512)]
    options = [each for credentials in scram for each in ("--add-scram", credentials)]
    with KafkaBroker(tmp_path_factory.mktemp("kafka"), protocols, settings.items(), options) as broker:
        yield broker.ports


def _file(path, text):
    path.write_text(text + "\n", encoding="utf-8")
    return str(path)
