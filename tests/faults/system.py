"""The system under test: its processes, the proxies between them, and the faults of either.

./local.sh has started it. The services are started again here, as child processes, with proxies in front of MySQL and
of Kafka. The database server and the broker stay with ./local.sh.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pymysql
import requests
from kafka.admin import KafkaAdminClient

from tests.eventually import Unmet, eventually
from tests.faults.proxy import Proxy
from tests.faults.servers import OneServer, Servers

ROOT = Path(__file__).parents[2]
PARTITIONS = 6
READY_SECONDS, STOP_SECONDS = 60, 10
TOPICS = ("accounts", "balances", "transactions")
OUTSIDE = ("mysql", "kafka")  # the processes that ./local.sh keeps


class System:
    """`environment` is what the services get in addition; `servers` are other database servers than the one of
    ./local.sh."""

    def __init__(self, environment: Mapping[str, str] | None = None, servers: Servers | None = None) -> None:
        self._environment = environment or {}
        self.folder = Path(os.environ["LOCAL_DIR"])
        self._ports = {
            name: int(os.environ[f"{name.upper()}_PORT"]) for name in ("wallet", "balances", "mysql", "kafka")
        }
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        one = OneServer(self._ports["mysql"])
        self._servers, self._other_servers = servers or one, servers is not None
        self.one_server = self._servers.one_server
        self.proxies = {**one.proxies, "kafka": Proxy(self._ports["kafka"])}
        self._records, self._records_aside = self.folder / "kafka", self.folder / "kafka-aside"
        # Brokers of a test's own need no proxy, and their topics are yet to be created.
        self._own_brokers = "KAFKA_BOOTSTRAP_SERVERS" in self._environment
        self.bootstrap_servers = self._environment.get(
            "KAFKA_BOOTSTRAP_SERVERS", f"127.0.0.1:{self.proxies['kafka'].port}"
        )

    def open(self) -> None:
        """Take the system over from ./local.sh: proxies between its parts, six partitions a topic."""
        for name in ("wallet", "balances", "kafka"):
            self._local("stop", name)
        if self._other_servers:  # they know nothing of the events that are in the topics
            self._records.rename(self._records_aside)
        self.start("kafka")
        if not self._own_brokers and not self._other_servers:
            self._add_partitions()
        self.start("wallet")
        self.start("balances")
        self.await_ready("wallet", "balances")

    def _add_partitions(self) -> None:
        with closing(KafkaAdminClient(bootstrap_servers=self.bootstrap_servers, api_version=(3, 9))) as admin:

            def missing() -> dict[str, int]:
                return {
                    each["name"]: PARTITIONS
                    for each in admin.describe_topics(list(TOPICS))
                    if len(each["partitions"]) < PARTITIONS
                }

            if missing():
                admin.create_partitions(missing())
            eventually(lambda: not missing(), READY_SECONDS, "six partitions a topic")

    def close(self) -> None:
        self.heal()
        for name in list(self._children):
            self.stop(name)
        if self._records_aside.is_dir():
            self.stop("kafka")
            shutil.rmtree(self._records)
            self._records_aside.rename(self._records)
            self.start("kafka")

    # ---- processes: mysql, kafka, wallet, wallet-2, balances, balances-2, ...

    def start(self, name: str, **environment: str) -> None:
        """mysql and kafka answer when this returns; a service may still wait for them (await_ready)."""
        if name in OUTSIDE:
            self._local("start", name)
        elif not self.running(name):
            self._children[name] = self._launch(name, environment)

    def stop(self, name: str) -> int:
        """SIGTERM, and wait for the end; return the exit code (of those that ./local.sh keeps: 0)."""
        if name in OUTSIDE:
            self._local("stop", name)
            return 0
        child = self._children.pop(name)
        child.terminate()
        try:
            return child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            raise Unmet(f"{name} did not end within {STOP_SECONDS} s of SIGTERM") from None

    def kill(self, name: str) -> None:
        self.signal(name, signal.SIGKILL)
        if name in OUTSIDE:
            eventually(lambda: not self.running(name), 10, f"the end of {name}")
        else:
            self._children[name].wait()

    def pause(self, name: str) -> None:
        self.signal(name, signal.SIGSTOP)

    def resume(self, name: str) -> None:
        self.signal(name, signal.SIGCONT)

    def signal(self, name: str, number: int) -> None:
        os.kill(self.pid(name), number)

    def pid(self, name: str) -> int:
        if name in OUTSIDE:
            return int((self.folder / "run" / f"{name}.pid").read_text())
        return self._children[name].pid

    def running(self, name: str) -> bool:
        if name in OUTSIDE:
            with suppress(OSError):
                return bool(Path(f"/proc/{self.pid(name)}/cmdline").read_bytes())
            return False
        return name in self._children and self._children[name].poll() is None

    def services(self, kind: str = "") -> list[str]:
        return [name for name in self._children if name.startswith(kind)]

    def cast(self, names: Iterable[str]) -> None:
        """Let exactly these services run, and wait until they are ready."""
        names = list(names)
        for name in self.services():
            if name not in names:
                self.stop(name)
        for name in names:
            self.start(name)
        self.await_ready(*names)

    def heal(self) -> None:
        """Open every proxy, and let every process run, those that were killed too."""
        for proxy in self.proxies.values():
            proxy.heal()
        for name in (*OUTSIDE, *self._children):
            if self.running(name):
                self.resume(name)
            else:
                self.start(name)

    def _launch(self, name: str, environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        with open(self.folder / "logs" / f"{name}.log", "ab") as log:
            return subprocess.Popen(
                ["bash", "entrypoint.sh", name.split("-")[0]],
                cwd=ROOT,
                env={**self.environment_of(name), **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def environment_of(self, name: str) -> dict[str, str]:
        kind = name.split("-")[0]
        return {
            **os.environ,
            "HOST": "127.0.0.1",
            "PORT": str(self.port(name)),
            "DATABASE_URL": f"mysql://{kind}:{kind}@{self._servers.hosts(name)}/{kind}",
            "MIGRATIONS_DATABASE_URL": (
                f"mysql://{kind}_owner:{kind}_owner@{self._servers.migration_hosts(name)}/{kind}"
            ),
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "KAFKA_PARTITIONS": str(PARTITIONS),
            "KAFKA_INSTANCE_ID": name,
            "SEED_DEMO_DATA": "on",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            **self._environment,
        }

    def _local(self, command: str, name: str) -> None:
        environment = {**os.environ, "KAFKA_ADVERTISED_PORT": str(self.proxies["kafka"].port)}
        arguments = ["./local.sh", command, name]
        done = subprocess.run(arguments, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
        if done.returncode:
            raise Unmet(f"{' '.join(arguments)}: {done.stdout}{done.stderr}")

    @property
    def database_port(self) -> int:
        return self._ports["mysql"]

    # ---- its state

    def port(self, name: str) -> int:
        kind, _, number = name.partition("-")
        return self._ports[kind] + int(number or 1) - 1

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port(name)}"

    def ready(self, name: str) -> tuple[int, dict[str, Any]]:
        """(status, facts) of /ready, or (0, {}) when nothing answers."""
        try:
            response = requests.get(f"{self.url(name)}/ready", timeout=15)
        except requests.RequestException:
            return 0, {}
        return response.status_code, response.json()

    def await_ready(self, *names: str) -> None:
        for name in names:
            eventually(lambda name=name: self.ready(name)[0] == 200, READY_SECONDS, f"{name} to be ready")  # type: ignore[misc]

    def database(self, name: str, user: str | None = None) -> "pymysql.connections.Connection[Any]":
        """A connection straight to the database, past the proxies, as its owner unless another user is named."""
        user = user or f"{name}_owner"
        return pymysql.connect(
            host="127.0.0.1",
            port=self._servers.port(),
            user=user,
            password=user,
            database=name,
            autocommit=True,
            connect_timeout=3,
            read_timeout=30,
            ssl_disabled=True,
        )

    def rows(self, name: str, statement: str, *parameters: object) -> tuple[tuple[Any, ...], ...]:
        with closing(self.database(name)) as connection, connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return tuple(cursor.fetchall())

    def connections(self, kind: str) -> int:
        """How many connections the service's user has at the database."""
        with closing(self.database(kind, user=kind)) as connection, connection.cursor() as cursor:
            return cursor.execute("SHOW PROCESSLIST") - 1
