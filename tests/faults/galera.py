"""A MariaDB Galera cluster of three nodes on loopback: every node accepts writes, and a killed one comes back."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql

from tests.eventually import seconds_until
from tests.faults.system import ROOT

NODES = 3
START_SECONDS = 90
FETCH_SECONDS = 120
PACKAGES = ("galera-4", "mariadb-server")  # the second for wsrep_sst_rsync alone; a daemon is not wanted
# A copy of wsrep_sst_rsync. MariaDB prefers the script of an installed server to one of the same name in PATH.
_METHOD = "rsync_loopback"
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wallet-balances" / "galera"
ORDER = ("wallet", "wallet-2", "balances", "balances-2")  # each begins its list of hosts with another node


def missing() -> str | None:
    """Why no cluster can be started here, or None. Fetches Galera from Debian where it is not installed."""
    if "MariaDB" not in subprocess.run([_server(), "--version"], capture_output=True, text=True).stdout:
        return f"{_server()} is not MariaDB"
    if not shutil.which("rsync"):
        return "rsync is not installed: a node that joins copies the data with it"
    if not _CACHE.is_dir() and (reason := _fetch()):
        return reason
    _write_method()
    return None


def _fetch() -> str | None:
    """Unpack Debian's packages into the user's cache; install nothing. Give why it failed, or None."""
    with tempfile.TemporaryDirectory() as folder:
        commands = [["apt-get", "download", *PACKAGES], *(["dpkg-deb", "-x", name, "unpacked"] for name in PACKAGES)]
        for command in commands:
            if command[0] == "dpkg-deb":
                command[2] = next(str(path) for path in Path(folder).glob(f"{command[2]}_*.deb"))
            try:
                done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=FETCH_SECONDS)
            except (OSError, subprocess.TimeoutExpired) as error:
                return f"Galera cannot be fetched from Debian: {error}"
            if done.returncode:
                return f"Galera cannot be fetched from Debian: {done.stderr.strip()[-200:]}"
        _CACHE.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(f"{folder}/unpacked", _CACHE)
    return None


def _write_method() -> None:
    """A script whose rsync listens only on loopback and keeps its user: as `nobody` it could not write."""
    settings = "use chroot = no\naddress = 127.0.0.1\nuid = $(id -un)\ngid = $(id -gn)"
    text = (_CACHE / "usr/bin/wsrep_sst_rsync").read_text()
    script = _CACHE / f"usr/bin/wsrep_sst_{_METHOD}"
    script.write_text(text if "uid = $(id -un)" in text else text.replace("use chroot = no", settings))
    script.chmod(0o755)


@dataclass
class Node:
    number: int
    folder: Path
    first_port: int
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def port(self) -> int:
        return self.first_port + 4 * self.number

    @property
    def group_port(self) -> int:
        return self.port + 1

    def status(self, name: str) -> str:
        """The value of a status variable of the node, '' while it does not answer."""
        with suppress(pymysql.Error), closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute("SHOW GLOBAL STATUS LIKE %s", (name,))
            return str((cursor.fetchone() or ("", ""))[1])
        return ""

    def connect(self) -> "pymysql.connections.Connection[Any]":
        return pymysql.connect(
            host="127.0.0.1", port=self.port, user="wallet", password="wallet", connect_timeout=2, read_timeout=5
        )


class Galera:
    """The nodes, and which of them each service prefers."""

    one_server = False

    def __init__(self, folder: Path, first_port: int) -> None:
        self.nodes = [Node(number, folder / f"node-{number}", first_port) for number in range(NODES)]

    def hosts(self, service: str) -> str:
        first = ORDER.index(service) if service in ORDER else 0
        return ",".join(f"127.0.0.1:{self.nodes[(first + each) % NODES].port}" for each in range(NODES))

    def migration_hosts(self, service: str) -> str:
        return self.hosts(service)

    def port(self) -> int:
        """The port of a node that has every transaction of the cluster."""
        return next(node.port for node in self.nodes if node.status("wsrep_local_state_comment") == "Synced")

    def start(self) -> None:
        first, *others = self.nodes
        _initialise(first)
        self._launch(first, "--wsrep-new-cluster", f"--init-file={ROOT}/docker/mysql/init.sql")
        self.await_synced(1)
        self.kill(first)
        position = self._position(first)
        for node in others:  # to copy them here is faster than to let the nodes copy them
            shutil.copytree(first.folder, node.folder, ignore=shutil.ignore_patterns("node.sock", "gvwstate.dat"))
        self._launch(first, "--wsrep-new-cluster", f"--wsrep-start-position={position}")
        self.await_synced(1)
        for node in others:
            self._launch(node, f"--wsrep-start-position={position}")
        self.await_synced()

    def kill(self, node: Node) -> None:
        assert node.process
        node.process.send_signal(signal.SIGKILL)
        node.process.wait()
        node.process = None

    def restart(self, node: Node) -> None:
        """Start a killed node where it ended: it asks the others for what it missed."""
        self._launch(node, f"--wsrep-start-position={self._position(node)}")

    def await_synced(self, number: int = NODES) -> float:
        """Wait until so many nodes are one cluster; return the seconds."""

        def synced() -> bool:
            for node in self.nodes:
                assert node.process is None or node.process.poll() is None, f"a node ended: {node.folder}.log"
            states = [node.status("wsrep_local_state_comment") for node in self.nodes]
            sizes = {node.status("wsrep_cluster_size") for node in self.nodes} - {""}
            return states.count("Synced") == number and sizes == {str(number)}

        return seconds_until(synced, START_SECONDS, f"a cluster of {number} nodes")

    def close(self) -> None:
        for node in self.nodes:
            if node.process:
                self.kill(node)

    def _launch(self, node: Node, *options: str) -> None:
        with open(f"{node.folder}.log", "ab") as log:
            node.process = subprocess.Popen(
                [*self._command(node), *options],
                env={**os.environ, "PATH": f"{_CACHE}/usr/bin:{os.environ['PATH']}"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _command(self, node: Node) -> list[str]:
        others = ",".join(f"127.0.0.1:{each.group_port}" for each in self.nodes)
        provider = {
            "gmcast.listen_addr": f"tcp://127.0.0.1:{node.group_port}",
            "ist.recv_addr": f"127.0.0.1:{node.port + 2}",
            "gcache.size": "32M",
        }
        return [
            *(_server(), "--no-defaults", f"--datadir={node.folder}", "--socket=node.sock"),
            *(("--user=root",) if os.getuid() == 0 else ()),
            *(f"--port={node.port}", "--bind-address=127.0.0.1", "--skip-name-resolve"),
            *("--character-set-server=utf8mb4", "--collation-server=utf8mb4_bin", "--default-time-zone=+00:00"),
            *(
                "--innodb-buffer-pool-size=64M",
                "--innodb-log-file-size=32M",
                "--binlog-format=ROW",
                "--innodb-autoinc-lock-mode=2",
            ),
            *(
                "--wsrep-on=ON",
                f"--wsrep-provider={_CACHE}/usr/lib/galera/libgalera_smm.so",
                "--wsrep-cluster-name=faults",
            ),
            *(f"--wsrep-cluster-address=gcomm://{others}", f"--wsrep-node-name=node-{node.number}"),
            *("--wsrep-node-address=127.0.0.1", f"--wsrep-node-incoming-address=127.0.0.1:{node.port}"),
            *(f"--wsrep-sst-method={_METHOD}", f"--wsrep-sst-receive-address=127.0.0.1:{node.port + 3}"),
            "--wsrep-provider-options=" + ";".join(f"{name}={value}" for name, value in provider.items()),
        ]

    def _position(self, node: Node) -> str:
        done = subprocess.run([*self._command(node), "--wsrep-recover"], capture_output=True, text=True, timeout=60)
        found = re.search(r"Recovered position:\s*(\S+)", done.stderr)
        assert found, f"node {node.number} has no position: {done.stderr[-500:]}"
        return found[1]


@contextmanager
def cluster(folder: Path, first_port: int) -> Iterator[Galera]:
    galera = Galera(folder, first_port)
    try:
        galera.start()
        yield galera
    finally:
        galera.close()


def _initialise(node: Node) -> None:
    command = ["mariadb-install-db", "--no-defaults", "--skip-test-db", f"--datadir={node.folder}"]
    subprocess.run([*command, *(("--user=root",) if os.getuid() == 0 else ())], check=True, capture_output=True)


def _server() -> str:
    return os.environ.get("MYSQLD") or "mariadbd"
