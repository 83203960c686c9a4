"""The running system as the bench sees it: its processes, its databases, its topics.

`./local.sh bench` starts a system for the bench alone, and gives its ports in the environment.
"""

import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pymysql
from kafka import KafkaProducer

from common.kafka import client_options
from tests.bench.workload import account_id
from tests.eventually import eventually

ROOT = Path(__file__).resolve().parents[2]
WALLET_PORT, BALANCES_PORT = int(os.environ["WALLET_PORT"]), int(os.environ["BALANCES_PORT"])
MYSQL_PORT, KAFKA_PORT = int(os.environ["MYSQL_PORT"]), int(os.environ["KAFKA_PORT"])
KAFKA = client_options(f"127.0.0.1:{KAFKA_PORT}")
TOPIC = "balances"
WAIT_SECONDS, START_SECONDS = 120, 100
CONNECTION_SECONDS = 30  # without an answer
REFERENCE = "wallet_test"  # a database with the tables of Wallet and no relay
USERS = {"wallet": "wallet_owner", "balances": "balances_owner", REFERENCE: "tests"}


def restart(root: Path, name: str, http_processes: int = 1) -> None:
    """Stop the service and start the code in `root` in its place; return when it is ready."""
    _local(root, "stop", name)
    _local(root, "start", name, HTTP_PROCESSES=str(http_processes))


def _local(root: Path, *arguments: str, **environment: str) -> None:
    subprocess.run(
        ["./local.sh", *arguments],
        cwd=root,
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, **environment},
        timeout=START_SECONDS,
    )


def processes(name: str) -> list[psutil.Process]:
    """The processes of a service: one, or a parent and its children."""
    parent = psutil.Process(int((Path(os.environ["LOCAL_DIR"]) / "run" / f"{name}.pid").read_text()))
    return [parent, *parent.children(recursive=True)]


def memory_mb(name: str) -> float:
    """Resident memory of all processes of the service."""
    return sum(each.memory_info().rss for each in processes(name)) / 1024**2


def processor_seconds(name: str) -> float:
    """The processor time that all processes of the service have used."""
    return sum(sum(each.cpu_times()[:2]) for each in processes(name))  # user and system


@contextmanager
def python(ports: list[int], *arguments: str) -> Iterator[None]:
    """Run `python ARGUMENTS PORT` for each port, from the time it accepts connections to the end of the block."""
    children = [subprocess.Popen([sys.executable, *arguments, str(port)], cwd=ROOT) for port in ports]
    try:
        for child, port in zip(children, ports, strict=True):
            eventually(lambda child=child, port=port: _accepts(child, port), seconds=20)  # type: ignore[misc]
        yield
    finally:
        for child in children:
            child.terminate()
            child.wait(timeout=10)


def _accepts(child: subprocess.Popen[bytes], port: int) -> bool:
    if child.poll() is not None:
        raise SystemExit(f"the process on port {port} ended with exit code {child.returncode}")
    return any(each.laddr.port == port for each in psutil.Process(child.pid).net_connections("tcp"))


def connect(database: str, **options: Any) -> "pymysql.connections.Connection[Any]":
    """A connection in autocommit mode, as the owner of the database."""
    return pymysql.connect(
        host="127.0.0.1",
        port=MYSQL_PORT,
        user=USERS[database],
        password=USERS[database],
        database=database,
        autocommit=True,
        ssl_disabled=True,
        read_timeout=CONNECTION_SECONDS,
        **options,
    )


def execute(database: str, statement: str, *parameters: Any) -> tuple[tuple[Any, ...], ...]:
    with closing(connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return tuple(cursor.fetchall())


# Numbers 0 to 999,999 from six digits: one statement, on MySQL and on MariaDB.
_DIGITS = "(" + " UNION ".join(f"SELECT {digit} AS d" for digit in range(10)) + ")"
_NUMBERS = "SELECT a.d + 10*b.d + 100*c.d + 1000*d.d + 10000*e.d + 100000*f.d AS n FROM " + ", ".join(
    f"{_DIGITS} {name}" for name in "abcdef"
)
_ID = "CONCAT('b0000000-0000-4000-8000-', LPAD(n, 12, '0'))"
_CLIENT = "c0000000-0000-4000-8000-0000000000b0"


def fill_balances(rows: int) -> None:
    """Have exactly the accounts 0 to `rows` - 1 in the read model."""
    execute("balances", "DELETE FROM balances WHERE account_id LIKE 'b0000000%%'")
    execute(
        "balances",
        f"INSERT INTO balances (account_id, balance, sequence) SELECT {_ID}, n, 0 FROM ({_NUMBERS}) t WHERE n < {rows}",
    )


def fill_accounts(database: str, rows: int) -> None:
    """Have the accounts 0 to `rows` - 1 in Wallet's tables of that database, with a balance of a million each."""
    execute(database, "INSERT IGNORE INTO clients (id, name, email) VALUES (%s, 'bench', 'bench@example.com')", _CLIENT)
    execute(
        database,
        f"INSERT IGNORE INTO accounts (id, client_id, balance) SELECT {_ID}, '{_CLIENT}', 1000000"
        f" FROM ({_NUMBERS}) t WHERE n < {rows}",
    )


def migrate_reference() -> None:
    """Create the tables of Wallet in the database of the reference, whose outbox no relay reads."""
    url = f"mysql://tests:tests@127.0.0.1:{MYSQL_PORT}/{REFERENCE}"
    subprocess.run(
        [sys.executable, "-m", "wallet.ops", "migrate"],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url},
        check=True,
        stdout=subprocess.DEVNULL,
        timeout=START_SECONDS,
    )


def outbox_is_empty() -> bool:
    return not execute("wallet", "SELECT id FROM outbox LIMIT 1")


def produce(events: int, accounts: int, seed: int = 1) -> int:
    """Publish transfers between accounts drawn uniformly, as Wallet writes them; give the offset of the first.

    One Kafka transaction holds all events: they become visible to Balances at the same moment, at its COMMIT.
    """
    draw, sequence = random.Random(seed), int(time.time() * 1_000_000)
    options = {
        "transactional_id": "bench",
        "linger_ms": 20,
        "batch_size": 64 * 1024,
        # A request that times out on a busy machine would end the transaction.
        "request_timeout_ms": 1000 * WAIT_SECONDS,
        "delivery_timeout_ms": 2000 * WAIT_SECONDS,
        "transaction_timeout_ms": 2000 * WAIT_SECONDS,
    }
    with closing(KafkaProducer(**{**KAFKA, **options})) as producer:
        producer.init_transactions()
        producer.begin_transaction()
        futures = []
        for number in range(events):
            source, target = account_id(draw.randrange(accounts)), account_id(draw.randrange(accounts))
            futures.append(send(producer, source, target, number % 10_000 + 0.5, number % 7777, sequence + number))
        first = futures[0].get(timeout=CONNECTION_SECONDS).offset
        producer.commit_transaction()
    return int(first)


def send(
    producer: KafkaProducer, source: str, target: str, source_balance: float, target_balance: float, sequence: int
) -> Any:
    """Send a BalanceUpdated; give the future of its acknowledgement."""
    value = (
        f'{{"Name":"BalanceUpdated","Payload":{{"account_id_from":"{source}","account_id_to":"{target}",'
        f'"balance_account_id_from":{source_balance},"balance_account_id_to":{target_balance}}}}}'
    )
    headers = [
        ("sequence", str(sequence).encode()),
        ("event_id", b"0b6f0c3e-2a53-4d0f-8f0e-6a4f2f9d6a11"),
        ("occurred_at", b"2026-11-22T11:42:20.123456Z"),
        ("request_id", b"5f0f3b52-7a4e-4b43-9d7c-0f6b8a1c2d3e"),
    ]
    return producer.send(TOPIC, value=value.encode(), key=source.encode(), headers=headers)


def kafka_version() -> str:
    names = " ".join(path.name for path in Path(os.environ["KAFKA_LIBS"]).glob("kafka_*.jar"))
    found = re.search(r"kafka_[\d.]+-([\d.]+)\.jar", names)
    return found[1] if found else "of an unknown version"
