"""Kafka brokers of older versions, from the jars of Maven Central, with a ZooKeeper of their own.

The jars are kept in the user's cache, as ./local.sh keeps those of its own broker.
"""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.integration.service import free_port
from tests.kafka_broker import START_SECONDS, answers

FETCH_SECONDS = 300

_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>local</groupId><artifactId>kafka-broker</artifactId><version>1</version>
  <packaging>pom</packaging>
  <dependencies><dependency>
    <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{version}</version>
  </dependency></dependencies>
  <build><plugins><plugin>
    <groupId>org.apache.maven.plugins</groupId><artifactId>maven-dependency-plugin</artifactId><version>3.8.1</version>
  </plugin></plugins></build>
</project>
"""

_ZOOKEEPER = """
tickTime=500
dataDir={folder}/zookeeper
clientPort={port}
clientPortAddress=127.0.0.1
admin.enableServer=false
"""

_KAFKA = """
broker.id=1
listeners=CLIENTS://127.0.0.1:{port},INTERNAL://127.0.0.1:{internal_port}
advertised.listeners=CLIENTS://{advertised},INTERNAL://127.0.0.1:{internal_port}
listener.security.protocol.map=CLIENTS:PLAINTEXT,INTERNAL:PLAINTEXT
inter.broker.listener.name=INTERNAL
zookeeper.connect=127.0.0.1:{zookeeper_port}
zookeeper.session.timeout.ms=3000
log.dirs={folder}/kafka
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
offsets.topic.replication.factor=1
offsets.topic.num.partitions=2
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=2
"""


class OldBroker:
    """`address` is also what the broker advertises, unless the test sets another."""

    def __init__(self, libs: Path, folder: Path, port: int) -> None:
        self.address = f"127.0.0.1:{port}"
        self._libs, self._folder, self._port = libs, folder, port
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, for the first time or after `kill`, and wait until it answers.

        A killed broker stays registered until its session with ZooKeeper ends. A new one ends itself until then, and
        is started again.
        """

        def runs_and_answers() -> bool:
            if self._process is None or self._process.poll() is not None:
                self._process = _java(self._libs, self._folder, "kafka.Kafka", "kafka.properties")
            return answers(self._port)

        eventually(runs_and_answers, seconds=START_SECONDS)

    def kill(self) -> None:
        """SIGKILL."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def old_broker(version: str, folder: Path, advertised: str | None = None) -> Iterator[OldBroker]:
    """Run a broker of that version with its data in `folder`.

    Skips the test where the jars are not there and cannot be fetched.
    """
    libs = _jars(version)
    port, internal_port, zookeeper_port = free_port(), free_port(), free_port()
    (folder / "zookeeper.properties").write_text(_ZOOKEEPER.format(folder=folder, port=zookeeper_port))
    (folder / "kafka.properties").write_text(
        _KAFKA.format(
            folder=folder,
            port=port,
            internal_port=internal_port,
            zookeeper_port=zookeeper_port,
            advertised=advertised or f"127.0.0.1:{port}",
        )
    )
    broker = OldBroker(libs, folder, port)
    main = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
    zookeeper = _java(libs, folder, main, "zookeeper.properties")
    try:
        _await(zookeeper_port, zookeeper)
        broker.start()
        yield broker
    finally:
        broker.kill()
        zookeeper.kill()
        zookeeper.wait()


def _jars(version: str) -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wallet-balances"
    libs = cache / f"kafka-{version}"
    if libs.is_dir():
        return libs
    if not shutil.which("mvn"):
        pytest.skip(f"the jars of Kafka {version} are not in {libs}, and mvn, which fetches them, is not installed")
    fetched = cache / f"kafka-{version}.{os.getpid()}"
    fetched.mkdir(parents=True)
    try:
        (fetched / "pom.xml").write_text(_POM.format(version=version))
        goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={fetched}/libs"]
        command = ["mvn", "-B", "-q", "-f", str(fetched / "pom.xml"), *goal]
        done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_SECONDS)
        if done.returncode:
            pytest.skip(f"the jars of Kafka {version} cannot be fetched: {(done.stdout + done.stderr)[:300]}")
        (fetched / "libs").rename(libs)
    finally:
        shutil.rmtree(fetched, ignore_errors=True)
    return libs


def _java(libs: Path, folder: Path, main: str, settings: str) -> "subprocess.Popen[bytes]":
    java = f"{os.environ['JAVA_HOME']}/bin/java" if os.environ.get("JAVA_HOME") else "java"
    command = [java, "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", f"{libs}/*", main, settings]
    with (folder / f"{settings}.log").open("ab") as log:
        return subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)


def _await(port: int, process: "subprocess.Popen[bytes]") -> None:
    def listens() -> bool:
        assert process.poll() is None, f"{process.args} has ended with {process.returncode}"
        try:
            with closing(socket.create_connection(("127.0.0.1", port), timeout=1)):
                return True
        except OSError:
            return False

    eventually(listens, seconds=START_SECONDS)
