"""A Kafka broker of a test's own, which the test may kill. Its program is that of ./local.sh."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import create_connection

from tests.environment import needed
from tests.eventually import eventually
from tests.integration.service import ROOT, free_port

START_SECONDS = 40
_API_VERSIONS = b"\0\0\0\x0a\0\x12\0\0\0\0\0\1\xff\xff"  # a request, answered once the broker serves


class OwnBroker:
    """Keeps its logs in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, free_port()
        self.address = f"127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None
        controller = free_port()
        settings = {
            "listeners": f"PLAINTEXT://{self.address},CONTROLLER://127.0.0.1:{controller}",
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "log.dirs": folder / "data",
        }
        text = (ROOT / "docker" / "kafka-local.properties").read_text(encoding="utf-8")
        text += "".join(f"{name}={value}\n" for name, value in settings.items())
        (folder / "settings").write_text(text, encoding="utf-8")
        cluster = "b3duLWJyb2tlci1vZi10MQ"
        self._run("kafka.tools.StorageTool", "format", "-t", cluster, "-c", folder / "settings").wait(START_SECONDS)

    def start(self) -> None:
        """Start it, for the first time or after `kill`, and wait until it answers."""
        process = self._process = self._run("kafka.Kafka", self._folder / "settings")
        eventually(lambda: process.poll() is not None or self._answers(), START_SECONDS)
        assert process.poll() is None, (self._folder / "log").read_text(encoding="utf-8", errors="replace")[-3000:]

    def kill(self) -> None:
        """SIGKILL, if it runs."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def keep_log(self, topic: str) -> Path:
        """Copy the log of the topic's only partition, while the broker does not run."""
        kept = self._folder / "kept"
        shutil.copytree(self._log_of(topic), kept)
        return kept

    def bring_back(self, topic: str, kept: Path) -> None:
        """Replace the log with its copy: what was written after the copy is lost."""
        shutil.rmtree(self._log_of(topic))
        kept.rename(self._log_of(topic))

    def _log_of(self, topic: str) -> Path:
        return self._folder / "data" / f"{topic}-0"

    def _answers(self) -> bool:
        with suppress(OSError), create_connection(("127.0.0.1", self._port), timeout=1) as asking:
            asking.sendall(_API_VERSIONS)
            return bool(asking.recv(1))
        return False

    def _run(self, *command: str | Path) -> "subprocess.Popen[bytes]":
        java = [needed("JAVA"), "-Xmx256m", "-XX:TieredStopAtLevel=1", "-Dlog4j2.level=WARN"]
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(
                [*java, "-cp", f"{needed('KAFKA_LIBS')}/*", *command],
                cwd=self._folder,
                stdout=log,
                stderr=subprocess.STDOUT,
            )


@contextmanager
def own_broker(folder: Path) -> Iterator[OwnBroker]:
    """Run a broker with its logs in `folder`."""
    broker = OwnBroker(folder)
    try:
        broker.start()
        yield broker
    finally:
        broker.kill()
