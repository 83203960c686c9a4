"""The naive services of a run: tables and a topic of their own, and their processes."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import pymysql
import requests

from tests.eventually import eventually
from tests.labs import kafka_log
from tests.labs.naive.bank import TABLES
from tests.labs.recorder import Kind, Recorder
from tests.labs.system import ROOT, System

ANA, BRUNO, OPENING, AMOUNT = "ana", "bruno", 100, 10
STEP_SECONDS = 30


class Damage(NamedTuple):
    """What a fault did to the read model: events that are missing or counted twice, accounts with a wrong balance."""

    missing: int = 0
    doubled: int = 0
    wrong_accounts: int = 0

    def __str__(self) -> str:
        return (
            f"{_number(self.missing, 'event')} missing, {self.doubled} counted twice,"
            f" {_number(self.wrong_accounts, 'account')} with a wrong balance"
        )


class NaiveSystem:
    """Two accounts, ana with 100 and bruno with 0; each transfer moves 10 from ana to bruno."""

    def __init__(self, system: System, recorder: Recorder, partitions: int = 1) -> None:
        self.system, self.recorder = system, recorder
        self.topic = f"naive-{uuid4()}"
        self._programs: list[Program] = []
        self._mysql: dict[str, Any] = {"host": "127.0.0.1", "port": system.mysql_port, "database": "wallet_test"}
        self._mysql |= {"user": "tests", "password": "tests"}
        for table in TABLES:
            self.rows(f"DROP TABLE IF EXISTS {table.split()[0]}")
            self.rows(f"CREATE TABLE {table}")
        for table in ("accounts", "balances"):
            self.rows(f"INSERT INTO {table} VALUES (%s, %s), (%s, 0)", ANA, OPENING, BRUNO)
        kafka_log.create_topic(system.kafka, self.topic, partitions)

    def start(self, program: str, *arguments: str, stop_at: str = "") -> "Program":
        """Start a program of tests/labs/naive, wait for its first line. `stop_at`: the step where it stops itself."""
        environment = {
            **os.environ,
            "MYSQL": json.dumps(self._mysql),
            "KAFKA_BOOTSTRAP_SERVERS": self.system.kafka,
            "TOPIC": self.topic,
            "PORT": str(_free_port()),
            "STOP_AT": stop_at,
        }
        output = self.system.folder / "logs" / f"naive-{program}-{uuid4()}.log"
        started = Program(program, arguments, environment, output, self.recorder)
        self._programs.append(started)
        return started

    def transfer(self, wallet: "Program", *names: str) -> None:
        """Request these transfers one after the other."""
        for name in names:
            self._request(wallet, name)

    def transfer_in_background(self, wallet: "Program", name: str) -> None:
        """Request a transfer whose response may never come."""
        threading.Thread(target=self._request, args=(wallet, name), daemon=True).start()

    def _request(self, wallet: "Program", name: str) -> None:
        body: dict[str, Any] = {"id": name, "from": ANA, "to": BRUNO, "amount": AMOUNT}
        self.recorder.message("client", "wallet", f"POST {name}")
        with suppress(requests.ConnectionError):  # the wallet was killed: the client has no response
            response = requests.post(f"http://127.0.0.1:{wallet.port}/transfers", json=body, timeout=STEP_SECONDS)
            self.recorder.message("wallet", "client", f"{response.status_code} {name}")

    def rows(self, statement: str, *parameters: object) -> tuple[tuple[Any, ...], ...]:
        with closing(pymysql.connect(**self._mysql, autocommit=True)) as connection, connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return tuple(cursor.fetchall())

    def damage(self) -> Damage:
        """What the read model shows, compared with the transfers that the wallet has stored."""
        transfers = self.rows("SELECT COUNT(*) FROM transfers")[0][0]
        wallet, balances = (dict(self.rows(f"SELECT id, balance FROM {each}")) for each in ("accounts", "balances"))
        counted = (OPENING - balances[ANA]) // AMOUNT
        wrong = sum(balances[account] != wallet[account] for account in wallet)
        return Damage(max(0, transfers - counted), max(0, counted - transfers), wrong)

    def balances(self) -> str:
        return ", ".join(f"{account} {balance}" for account, balance in self.rows("SELECT id, balance FROM balances"))

    def close(self) -> None:
        """End every process, and add what they wrote to the recorder."""
        for program in self._programs:
            program.end()
            for line in program.lines():
                self.recorder.message(line["source"], line["target"], line["text"], at=line["at"])


class Program:
    """One process of a naive program."""

    def __init__(
        self, name: str, arguments: Sequence[str], environment: dict[str, str], output: Path, recorder: Recorder
    ) -> None:
        self.port = int(environment["PORT"])
        self._lane = "wallet" if name == "outbox_wallet" else "balances" if name in ("consumer", "rebuild") else name
        self._recorder, self._output = recorder, output
        command = [sys.executable, "-m", f"tests.labs.naive.{name}", *arguments]
        with output.open("wb") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
        if name != "rebuild":
            self.await_step("started")
        if name.endswith("wallet"):
            eventually(self._answers, STEP_SECONDS)

    def _answers(self) -> bool:
        with closing(socket.socket()) as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def lines(self) -> list[dict[str, Any]]:
        text = self._output.read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines(keepends=True) if line[0] == "{" and line[-1] == "\n"]

    def await_step(self, *names: str, times: int = 1) -> None:
        """Wait until the program has written each of these steps so often."""

        def written() -> bool:
            steps = [line["name"] for line in self.lines()]
            return all(steps.count(name) >= times for name in names)

        eventually(written, STEP_SECONDS)

    def await_stop(self, step: str) -> None:
        """Wait until the program has stopped itself at the step."""
        self.await_step(step)

        def stopped() -> bool:
            pid, status = os.waitpid(self._process.pid, os.WNOHANG | os.WUNTRACED)
            return pid != 0 and os.WIFSTOPPED(status)

        eventually(stopped, STEP_SECONDS)
        self._mark("paused")

    def await_end(self) -> int:
        """Wait until the program has ended; give its exit code."""
        code = self._process.wait(STEP_SECONDS)
        self._mark("crashed" if code else "stopped")
        return code

    def resume(self) -> None:
        self._process.send_signal(signal.SIGCONT)
        self._mark("resumed")

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(STEP_SECONDS)
        self._mark("killed")

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(STEP_SECONDS)

    def last_error(self) -> str:
        """The last line of a Python error."""
        return self._output.read_text(encoding="utf-8").strip().splitlines()[-1]

    def _mark(self, kind: Kind) -> None:
        self._recorder.mark(self._lane, kind)


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
