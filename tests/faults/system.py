"""The system under test: its processes, the proxies between them, and what can be done to either.

./local.sh has started it. The services are started anew here, as children of ours, with proxies on their roads to
MySQL and to Kafka; the database server and the broker stay with ./local.sh.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pymysql
import requests
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from tests.faults.proxy import Proxy

ROOT = Path(__file__).parents[2]
PARTITIONS = 6
READY_SECONDS, STOP_SECONDS, QUIET_SECONDS = 60, 10, 40
TOPICS = ("accounts", "balances", "transactions")
OUTSIDE = ("mysql", "kafka")  # the processes that ./local.sh keeps


class Unmet(AssertionError):
    """What was waited for did not come in time."""


class System:
    def __init__(self, environment=None):
        self._environment = environment or {}
        self._folder = Path(os.environ["LOCAL_DIR"])
        self._ports = {
            name: int(os.environ[f"{name.upper()}_PORT"]) for name in ("wallet", "balances", "mysql", "kafka")
        }
        self._children = {}
        self.roads = {
            "wallet-mysql": Proxy(self._ports["mysql"]),
            "balances-mysql": Proxy(self._ports["mysql"]),
            "kafka": Proxy(self._ports["kafka"]),
        }
        # Brokers of a test's own need no proxy, and their topics are yet to be made.
        self._own_brokers = "KAFKA_BOOTSTRAP_SERVERS" in self._environment
        self.bootstrap_servers = self._environment.get(
            "KAFKA_BOOTSTRAP_SERVERS", f"127.0.0.1:{self.roads['kafka'].port}"
        )

    def open(self):
        """Take the system over from ./local.sh: proxies between its parts, six partitions a topic."""
        for name in ("wallet", "balances", "kafka"):
            self._local("stop", name)
        self.start("kafka")
        if not self._own_brokers:
            self._widen_topics()
        self.start("wallet")
        self.start("balances")
        self.await_ready("wallet", "balances")

    def _widen_topics(self):
        with closing(KafkaAdminClient(bootstrap_servers=self.bootstrap_servers, api_version=(3, 9))) as admin:

            def narrow():
                return {
                    each["name"]: PARTITIONS
                    for each in admin.describe_topics(list(TOPICS))
                    if len(each["partitions"]) < PARTITIONS
                }

            if narrow():
                admin.create_partitions(narrow())
            wait_until(lambda: not narrow(), "six partitions a topic", READY_SECONDS)

    def close(self):
        self.heal()
        for name in list(self._children):
            self.stop(name)

    # ---- processes: mysql, kafka, wallet, wallet-2, balances, balances-2, ...

    def start(self, name, **environment):
        """mysql and kafka answer when this returns; a service may still wait for them (await_ready)."""
        if name in OUTSIDE:
            self._local("start", name)
        elif not self.running(name):
            self._children[name] = self._launch(name, environment)

    def stop(self, name):
        """SIGTERM, and wait for the end; give the exit code (of those that ./local.sh keeps: 0)."""
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

    def kill(self, name):
        self.signal(name, signal.SIGKILL)
        if name in OUTSIDE:
            wait_until(lambda: not self.running(name), f"the end of {name}", 10)
        else:
            self._children[name].wait()

    def pause(self, name):
        self.signal(name, signal.SIGSTOP)

    def resume(self, name):
        self.signal(name, signal.SIGCONT)

    def signal(self, name, number):
        os.kill(self.pid(name), number)

    def pid(self, name):
        if name in OUTSIDE:
            return int((self._folder / "run" / f"{name}.pid").read_text())
        return self._children[name].pid

    def running(self, name):
        if name in OUTSIDE:
            with suppress(OSError):
                return bool(Path(f"/proc/{self.pid(name)}/cmdline").read_bytes())
            return False
        return name in self._children and self._children[name].poll() is None

    def services(self, kind=""):
        return [name for name in self._children if name.startswith(kind)]

    def cast(self, names):
        """Let exactly these services run, and wait until they are ready."""
        for name in self.services():
            if name not in names:
                self.stop(name)
        for name in names:
            self.start(name)
        self.await_ready(*names)

    def heal(self):
        """Every road open, every process running, those that were killed too."""
        for road in self.roads.values():
            road.heal()
        for name in (*OUTSIDE, *self._children):
            if self.running(name):
                self.resume(name)
            else:
                self.start(name)

    def _launch(self, name, environment):
        kind = name.split("-")[0]
        mysql = f"127.0.0.1:{self._ports['mysql']}"
        with open(self._folder / "logs" / f"{name}.log", "ab") as log:
            return subprocess.Popen(
                ["bash", "entrypoint.sh", kind],
                cwd=ROOT,
                env={
                    **os.environ,
                    "HOST": "127.0.0.1",
                    "PORT": str(self.port(name)),
                    "DATABASE_URL": f"mysql://{kind}:{kind}@127.0.0.1:{self.roads[f'{kind}-mysql'].port}/{kind}",
                    "MIGRATIONS_DATABASE_URL": f"mysql://{kind}_owner:{kind}_owner@{mysql}/{kind}",
                    "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
                    "KAFKA_PARTITIONS": str(PARTITIONS),
                    "KAFKA_INSTANCE_ID": name,
                    "SEED_DEMO_DATA": "on",
                    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                    **self._environment,
                    **environment,
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _local(self, verb, name):
        environment = {**os.environ, "KAFKA_ADVERTISED_PORT": str(self.roads["kafka"].port)}
        command = ["./local.sh", verb, name]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
        if done.returncode:
            raise Unmet(f"{' '.join(command)}: {done.stdout}{done.stderr}")

    @property
    def database_port(self):
        return self._ports["mysql"]

    # ---- what it says of itself

    def port(self, name):
        kind, _, number = name.partition("-")
        return self._ports[kind] + int(number or 1) - 1

    def url(self, name):
        return f"http://127.0.0.1:{self.port(name)}"

    def ready(self, name):
        """(status, facts) of /ready, or (0, {}) when nothing answers."""
        try:
            answer = requests.get(f"{self.url(name)}/ready", timeout=15)
        except requests.RequestException:
            return 0, {}
        return answer.status_code, answer.json()

    def await_ready(self, *names):
        for name in names:
            wait_until(lambda name=name: self.ready(name)[0] == 200, f"{name} to be ready", READY_SECONDS)

    def database(self, name, user=None):
        """A connection straight to the database, past the proxies, as its owner unless another user is named."""
        user = user or f"{name}_owner"
        return pymysql.connect(
            host="127.0.0.1",
            port=self._ports["mysql"],
            user=user,
            password=user,
            database=name,
            autocommit=True,
            connect_timeout=3,
            read_timeout=30,
            ssl_disabled=True,
        )

    def rows(self, name, statement, *parameters):
        with closing(self.database(name)) as connection, connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall()

    def backup_of_balances(self):
        """The read model and its offsets, as of one moment."""
        with closing(self.database("balances")) as connection, connection.cursor() as cursor:
            cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
            return {table: _all_of(cursor, table) for table in ("consumer_offsets", "balances")}

    def restore_balances(self, backup):
        with closing(self.database("balances")) as connection, connection.cursor() as cursor:
            connection.begin()
            for table, rows in backup.items():
                cursor.execute(f"DELETE FROM {table}")
                marks = ", ".join(["%s"] * len(rows[0]))
                cursor.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
            connection.commit()

    def connections(self, kind):
        """How many connections the service's user has at the database."""
        with closing(self.database(kind, user=kind)) as connection, connection.cursor() as cursor:
            return cursor.execute("SHOW PROCESSLIST") - 1

    def await_quiet(self, seconds=QUIET_SECONDS):
        """Wait until the outbox is empty and every record was read; give the seconds it took."""
        started = time.monotonic()
        with closing(KafkaConsumer(bootstrap_servers=self.bootstrap_servers, api_version=(3, 9))) as consumer:
            partitions = [TopicPartition(topic, number) for topic in TOPICS[:2] for number in range(PARTITIONS)]

            def quiet():
                if self.rows("wallet", "SELECT 1 FROM outbox LIMIT 1"):
                    return False
                stored = {
                    (topic, number): offset
                    for topic, number, offset in self.rows(
                        "balances", "SELECT topic, partition_id, next_offset FROM consumer_offsets"
                    )
                }
                ends = consumer.end_offsets(partitions, timeout_ms=5000)
                return all(stored.get(tp, 0) == end for tp, end in ends.items())

            wait_until(quiet, "an empty outbox and no lag", seconds, KafkaError, pymysql.Error)
        return time.monotonic() - started


def wait_until(condition, what, seconds, *errors):
    """Wait for the condition; the given errors count as "not yet". Give the seconds it took."""
    started = time.monotonic()
    while True:
        try:
            if condition():
                return time.monotonic() - started
        except errors as error:
            last = f": {error!r}"
        else:
            last = ""
        if time.monotonic() - started > seconds:
            raise Unmet(f"waited {seconds} s for {what}{last}")
        time.sleep(0.05)


def _all_of(cursor, table):
    cursor.execute(f"SELECT * FROM {table}")
    return cursor.fetchall()


def port_is_open(port):
    with suppress(OSError), closing(socket.create_connection(("127.0.0.1", port), timeout=1)):
        return True
    return False
