"""The system that a lab breaks: MySQL, Kafka, Wallet and Balances as ./local.sh started them, on ports of their own."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pymysql
import requests

from tests.eventually import eventually

ROOT = Path(__file__).parents[2]
COMMAND_SECONDS, RECOVERY_SECONDS = 120, 30
LEASE_HOLDER = "lab"
PROCESSES = ("mysql", "kafka", "wallet", "balances")  # of which a lab may start further instances


class System:
    """Acts on processes by their names: mysql, kafka, wallet, wallet-2, balances, balances-2."""

    def __init__(self) -> None:
        self.folder = Path(os.environ["LOCAL_DIR"])
        self.mysql_port = int(os.environ["MYSQL_PORT"])
        self.kafka = f"127.0.0.1:{os.environ['KAFKA_PORT']}"

    # ---- processes

    def start(self, name: str) -> None:
        """Start the process, and wait until it is ready."""
        self._local("start", name)

    def stop(self, name: str) -> None:
        """Send SIGTERM, and wait for the end of the process."""
        self._local("stop", name)

    def kill(self, name: str) -> None:
        """Send SIGKILL, and wait until the port is closed."""
        os.kill(self.pid(name), signal.SIGKILL)
        eventually(lambda: not _is_open(self.port(name)), RECOVERY_SECONDS)

    def pause(self, name: str) -> None:
        os.kill(self.pid(name), signal.SIGSTOP)

    def resume(self, name: str) -> None:
        os.kill(self.pid(name), signal.SIGCONT)

    def heal(self) -> None:
        """Let every process run and no further instance, also after a lab that failed half-way."""
        for name in [path.stem for path in sorted((self.folder / "run").glob("*-[0-9].pid"))]:
            with suppress(ProcessLookupError):
                self.resume(name)
            self.stop(name)
        for name in PROCESSES:
            if (self.folder / "run" / f"{name}.port").exists() and _is_open(self.port(name)):
                self.resume(name)
            else:
                self.start(name)
        self.release_lease()

    def pid(self, name: str) -> int:
        return int((self.folder / "run" / f"{name}.pid").read_text())

    def port(self, name: str) -> int:
        return int((self.folder / "run" / f"{name}.port").read_text())

    def log_lines(self, name: str) -> list[dict[str, Any]]:
        """The JSON lines that the service has logged so far."""
        path = self.folder / "logs" / f"{name}.log"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [json.loads(line) for line in lines if line.startswith("{")]

    def _local(self, *arguments: str) -> None:
        done = subprocess.run(
            ["./local.sh", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    # ---- HTTP and the command line

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port(name)}"

    def ready(self, name: str) -> dict[str, Any]:
        """The facts of /ready."""
        facts: dict[str, Any] = requests.get(f"{self.url(name)}/ready", timeout=10).json()
        return facts

    def command(self, service: str, *arguments: str) -> tuple[int, str]:
        """Run `entrypoint.sh SERVICE …`; give its exit code and its output."""
        environment = {
            **os.environ,
            "DATABASE_URL": f"mysql://{service}:{service}@127.0.0.1:{self.mysql_port}/{service}",
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka,
        }
        command = ["bash", "entrypoint.sh", service, *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
        )
        return done.returncode, done.stdout.strip()

    def reconcile(self) -> str:
        """The verdict of `balances reconcile`, with the numbers before it."""
        urls = ("--wallet-url", self.url("wallet"), "--balances-url", self.url("balances"))
        return self.command("balances", "reconcile", *urls)[1].replace("\n", "; ")

    # ---- MySQL

    def connect(self, database: str, user: str = "") -> "pymysql.connections.Connection[Any]":
        """A connection in autocommit mode, as the owner of the database unless another user is named."""
        user = user or f"{database}_owner"
        return pymysql.connect(
            host="127.0.0.1", port=self.mysql_port, user=user, password=user, database=database, autocommit=True
        )

    def rows(self, database: str, statement: str, *parameters: object) -> tuple[tuple[Any, ...], ...]:
        with closing(self.connect(database)) as connection, connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return tuple(cursor.fetchall())

    @contextmanager
    def held(self, database: str, *statements: str) -> Iterator[None]:
        """Run the statements in a session of its own, and keep their locks until the block ends."""
        with closing(self.connect(database)) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            yield

    def await_statement(self, service: str, words: str) -> None:
        """Wait until a statement of the service with these words is at MySQL; a lock of the lab keeps it there."""

        eventually(lambda: self._statements(service, words), RECOVERY_SECONDS)

    def end_statement(self, service: str, words: str) -> None:
        """End the session of a killed process whose statement waits: MySQL would still run the statement."""
        with closing(self.connect(service, service)) as connection, connection.cursor() as cursor:
            for session in self._statements(service, words):
                cursor.execute("KILL %s", (session,))
        eventually(lambda: not self._statements(service, words), RECOVERY_SECONDS)

    def _statements(self, service: str, words: str) -> list[int]:
        """The sessions of the service whose statement has these words."""
        with closing(self.connect(service, service)) as connection, connection.cursor() as cursor:
            cursor.execute("SHOW FULL PROCESSLIST")
            return [row[0] for row in cursor.fetchall() if words in (row[7] or "")]

    def hold_lease(self) -> None:
        """Take the relay's lease for the lab: every relay is on standby, and committed events stay in the outbox."""
        eventually(lambda: self.ready("wallet")["relay"] == "leader", RECOVERY_SECONDS)
        self.rows(
            "wallet",
            "UPDATE leases SET holder = %s, expires_at = UTC_TIMESTAMP(6) + INTERVAL 1 HOUR WHERE name = 'relay'",
            LEASE_HOLDER,
        )
        eventually(lambda: self.ready("wallet")["relay"] == "standby", RECOVERY_SECONDS)

    def release_lease(self) -> None:
        self.rows("wallet", "UPDATE leases SET expires_at = UTC_TIMESTAMP(6) WHERE holder = %s", LEASE_HOLDER)


def _is_open(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
