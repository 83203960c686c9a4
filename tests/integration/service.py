"""A service in a separate process, as its entrypoint runs it."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import requests

from tests.eventually import eventually

ROOT = Path(__file__).parents[2]
NOWHERE = "127.0.0.1:1"  # no broker listens there


class Service:
    """`python ARGUMENTS` with the given environment, its log in `log` or the descriptor `output`; `with` ends it."""

    def __init__(self, arguments, log, output=None, **environment):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = log
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT,
                env={**os.environ, "HOST": "127.0.0.1", "PORT": str(self.port), **environment},
                stdout=file if output is None else output,
                stderr=subprocess.STDOUT,
                # In the background of a shell the tests ignore SIGINT, and a child inherits that.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )

    def __enter__(self):
        try:
            eventually(self.serves, seconds=20)
        except BaseException:
            self.process.kill()
            raise
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def serves(self):
        assert self.process.poll() is None, f"it has ended; its log:\n{self.log.read_text()}"
        try:
            return requests.get(f"{self.url}/health", timeout=5).ok
        except requests.ConnectionError:
            return False

    def stop(self, number=signal.SIGTERM):
        """Ask it to end; return its exit code and the seconds that it took."""
        started = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(timeout=20), time.monotonic() - started

    def lines(self, message):
        """The lines of the log with that message, each as a dict."""
        lines = (json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{"))
        return [line for line in lines if line["message"] == message]


def balances_on(topic):
    """The arguments of Python for Balances on a topic of the test."""
    return ["-c", f"from balances.__main__ import main; main(topics=[{topic!r}])"]


def start_command(service, database_url, *arguments, **options):
    """Start `entrypoint.sh SERVICE COMMAND` in the background; `communicate` returns all of its output."""
    return subprocess.Popen(
        [sys.executable, "-m", f"{service}.ops", *arguments],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": database_url},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )


def run_command(service, database_url, *arguments):
    """Run `entrypoint.sh SERVICE COMMAND`; return the finished process with its output."""
    return subprocess.run(
        [sys.executable, "-m", f"{service}.ops", *arguments],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def free_port():
    """A free port below the range of outgoing connections."""
    while True:
        port = random.randint(12000, 19999)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
