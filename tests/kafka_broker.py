"""A Kafka broker of a test's own on 127.0.0.1, which the test may kill. Its program is that of ./local.sh."""

import socket
import subprocess
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from tests.environment import needed
from tests.eventually import eventually
from tests.integration.service import ROOT, free_port

START_SECONDS = 40
_CLUSTER = "b3duLWJyb2tlci1vZi10MQ"
_API_VERSIONS = b"\0\0\0\x0a\0\x12\0\0\0\0\0\1\xff\xff"  # a request, answered once the broker serves


class KafkaBroker:
    """Keeps its logs in `folder`; a `with` block starts it and kills it. `ports` has the port of each listener."""

    def __init__(
        self,
        folder: Path,
        listeners: Sequence[str] = ("PLAINTEXT",),
        settings: Iterable[tuple[str, object]] = (),
        format_options: Sequence[str] = (),
    ) -> None:
        self.ports = {name: free_port() for name in listeners}
        self.address = f"127.0.0.1:{self.ports['PLAINTEXT']}"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        controller = free_port()
        all_ports = {**self.ports, "CONTROLLER": controller}
        own = {
            "listeners": ",".join(f"{name}://127.0.0.1:{port}" for name, port in all_ports.items()),
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "log.dirs": folder / "data",
            **dict(settings),
        }
        text = (ROOT / "docker" / "kafka-local.properties").read_text(encoding="utf-8")
        text += "".join(f"{name}={value}\n" for name, value in own.items())
        (folder / "settings").write_text(text, encoding="utf-8")
        command = ["kafka.tools.StorageTool", "format", "-t", _CLUSTER, "-c", folder / "settings", *format_options]
        assert self._run(*command).wait(START_SECONDS) == 0, self._output()

    def __enter__(self) -> "KafkaBroker":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, for the first time or after `kill`, and wait until it answers."""
        process = self._process = self._run("kafka.Kafka", self._folder / "settings")
        eventually(lambda: process.poll() is not None or answers(self.ports["PLAINTEXT"]), START_SECONDS)
        assert process.poll() is None, self._output()

    def kill(self) -> None:
        """SIGKILL, if it runs."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def log_of(self, topic: str) -> Path:
        """The folder of the topic's only partition."""
        return self._folder / "data" / f"{topic}-0"

    def _run(self, *command: str | Path) -> "subprocess.Popen[bytes]":
        java = [needed("JAVA"), "-Xmx256m", "-XX:TieredStopAtLevel=1", "-Dlog4j2.level=WARN"]
        java += ["-cp", f"{needed('KAFKA_LIBS')}/*"]
        with (self._folder / "output").open("ab") as output:
            return subprocess.Popen([*java, *command], cwd=self._folder, stdout=output, stderr=subprocess.STDOUT)

    def _output(self) -> str:
        return (self._folder / "output").read_text(encoding="utf-8", errors="replace")[-3000:]


def answers(port: int) -> bool:
    """Whether a broker serves on the port: an open port is no broker yet."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
        connection.sendall(_API_VERSIONS)
        return bool(connection.recv(1))
    return False
