"""A database server and a broker that demand TLS and a password, with certificates made for the day."""

import socket
import subprocess
from contextlib import contextmanager, suppress
from urllib.parse import quote

import pytest

from tests.database_server import database_server
from tests.environment import needed
from tests.eventually import eventually
from tests.integration.service import ROOT, free_port
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
    java = [needed("JAVA"), "-Xmx256m", "-XX:TieredStopAtLevel=1", "-Dlog4j2.level=WARN", "-cp"]
    java.append(f"{needed('KAFKA_LIBS')}/*")
    folder, controller = tmp_path_factory.mktemp("kafka"), free_port()
    ports = {protocol: free_port() for protocol in ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")}
    listeners = ",".join(f"{protocol}://127.0.0.1:{port}" for protocol, port in ports.items())
    settings = {
        "listeners": f"{listeners},CONTROLLER://127.0.0.1:{controller}",
        "listener.security.protocol.map": ",".join(f"{each}:{each}" for each in ports) + ",CONTROLLER:PLAINTEXT",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "log.dirs": folder / "data",
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
    text = (ROOT / "docker" / "kafka-local.properties").read_text(encoding="utf-8")
    text += "".join(f"{name}={value}\n" for name, value in settings.items())
    (folder / "settings").write_text(text, encoding="utf-8")
    scram = [f"SCRAM-SHA-{bits}=[name={KAFKA_USER},password={PASSWORD}]" for bits in (256, 512)]
    format_it = ["kafka.tools.StorageTool", "format", "-t", "d2FsbGV0LWJhbGFuY2VzMQ", "-c", folder / "settings"]
    _run(*java, *format_it, *(each for credentials in scram for each in ("--add-scram", credentials)))

    def answers():
        with suppress(OSError), socket.create_connection(("127.0.0.1", ports["PLAINTEXT"]), timeout=1) as asking:
            asking.sendall(b"\0\0\0\x0a\0\x12\0\0\0\0\0\1\xff\xff")  # ApiVersions: an open port is no broker yet
            return bool(asking.recv(1))

    with _running([*java, "kafka.Kafka", folder / "settings"], folder / "log", answers):
        yield ports


def _file(path, text):
    path.write_text(text + "\n", encoding="utf-8")
    return str(path)


@contextmanager
def _running(command, log, answers):
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=log.parent)
    try:
        eventually(lambda: process.poll() is not None or answers(), seconds=40)
        assert process.poll() is None, log.read_text(encoding="utf-8", errors="replace")[-3000:]
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)


def _run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
