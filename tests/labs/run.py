"""One half of a lab: what it does is printed and recorded as it happens."""

import time
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

import requests

from tests.eventually import eventually
from tests.labs import kafka_log
from tests.labs.naive_system import Damage, NaiveSystem
from tests.labs.recorder import Kind, Recorder
from tests.labs.system import System

# Accounts of the seeds, as in the README.
ACCOUNTS = [f"a0000000-0000-4000-8000-{number:012}" for number in range(1, 13)]
ANA, BRUNO = ACCOUNTS[:2]
TOPICS = ("balances", "accounts")
AMOUNT = Decimal(1)
RESPONSE_SECONDS = 60


class Lab(NamedTuple):
    """`naive` and `project` carry out the two halves; `damage` is what the naive half must show."""

    number: int
    name: str
    question: str
    naive: Callable[["NaiveRun"], None]
    project: Callable[["Run"], None]
    damage: Damage
    partitions: int = 1  # of the naive topic

    @property
    def title(self) -> str:
        return f"{self.number:02}-{self.name}"


class Broken(AssertionError):
    """A run did not show what the lab promises."""


class Half:
    """Prints each step with the seconds since the start."""

    def __init__(self, system: System) -> None:
        self.system, self.recorder = system, Recorder()

    def explain(self, text: str) -> None:
        print(f"{time.time() - self.recorder.started_at:6.1f} s  {text}", flush=True)

    def check(self, what: str, actual: object, expected: object) -> None:
        """Print a fact of the run. Raises Broken when it is not as expected."""
        if actual != expected:
            raise Broken(f"{what}: expected {expected!r}, found {actual!r}")
        self.explain(f"  {what}: {actual}")

    def process(self, name: str, action: Kind) -> None:
        """Start, stop, kill, pause or resume a process of the system, and mark it in the diagram."""
        methods = {"started": "start", "stopped": "stop", "killed": "kill", "paused": "pause", "resumed": "resume"}
        before = action in ("killed", "started", "resumed")  # what the others do about it comes after the mark
        if before:
            self.recorder.mark(name, action)
        getattr(self.system, methods[action])(name)
        if not before:
            self.recorder.mark(name, action)


class NaiveRun(Half):
    """The half with the programs of tests/labs/naive."""

    def __init__(self, system: System, partitions: int) -> None:
        super().__init__(system)
        self.bank = NaiveSystem(system, self.recorder, partitions)


class Run(Half):
    """The half with Wallet and Balances."""

    def __init__(self, system: System) -> None:
        super().__init__(system)
        self._since = kafka_log.ends(system.kafka, TOPICS)
        self._records: dict[tuple[str, int, int], Any] = {}
        self._transfers = 0
        self._opening = self._balances("wallet", "accounts", "id")
        self._moved = dict.fromkeys(self._opening, Decimal(0))

    def transfer(self, source: str = ANA, target: str = BRUNO, wallet: str = "wallet") -> int:
        """Transfer 1.00; give the sequence."""
        self._transfers += 1
        name = f"transfer-{self._transfers}"
        self.recorder.message("client", "wallet", f"POST {name}")
        response = requests.post(
            f"{self.system.url(wallet)}/transactions",
            json={"account_id_from": source, "account_id_to": target, "amount": 1},
            headers={"X-Request-Id": name},
            timeout=RESPONSE_SECONDS,
        )
        response.raise_for_status()
        sequence = int(response.headers["Sequence"])
        self.recorder.message("wallet", "client", f"{response.status_code} {name}", sequence)
        self._moved[source] -= AMOUNT
        self._moved[target] += AMOUNT
        return sequence

    def row(self, account: str) -> tuple[Decimal, int]:
        """(balance, sequence) of the account in Balances."""
        balance, sequence = self.system.rows(
            "balances", "SELECT balance, sequence FROM balances WHERE account_id = %s", account
        )[0]
        return balance, sequence

    def stored_offsets(self) -> dict[tuple[str, int], int]:
        """The offsets that Balances stored in MySQL, of (topic, partition)."""
        found = self.system.rows("balances", "SELECT topic, partition_id, next_offset FROM consumer_offsets")
        return {(topic, partition): offset for topic, partition, offset in found}

    def await_applied(self) -> None:
        """Wait until the outbox is empty and Balances has applied every record."""

        def applied() -> bool:
            if self.outbox():
                return False
            stored = self.stored_offsets()
            return all(stored.get(tuple(tp)) == end for tp, end in kafka_log.ends(self.system.kafka, TOPICS).items())

        eventually(applied, RESPONSE_SECONDS)

    def outbox(self) -> int:
        return int(self.system.rows("wallet", "SELECT COUNT(*) FROM outbox")[0][0])

    def records(self) -> list[Any]:
        """The records of the topics since the run's start, kept even when Kafka removes them later."""
        for record in kafka_log.records(self.system.kafka, self._since):
            self._records.setdefault((record.topic, record.partition, record.offset), record)
        return list(self._records.values())

    def sequences(self) -> list[int]:
        """The sequences of the records on the topic balances, in the order in which Kafka took them."""
        found = [headers(record) for record in self.records() if record.topic == "balances"]
        return [int(facts["sequence"]) for facts in found if "sequence" in facts]

    def damage(self) -> Damage:
        """What Balances shows, compared with the transfers that were answered 201."""
        expected = {account: balance + self._moved[account] for account, balance in self._opening.items()}
        stored = self._balances("wallet", "accounts", "id")
        shown = self._balances("balances", "balances", "account_id")
        difference = int((shown.get(ANA, Decimal(0)) - expected[ANA]) / AMOUNT)  # Ana pays: a missing event is a plus
        wrong = sum(not stored[each] == expected[each] == shown.get(each) for each in expected)
        return Damage(max(0, difference), max(0, -difference), wrong)

    def collect(self) -> None:
        """Add to the recorder what the topics and the log of Balances hold of this run."""
        known: set[str] = set()
        for record in self.records():
            facts = headers(record)
            place = f"{record.topic}[{record.partition}]@{record.offset}"
            if "event_id" not in facts:
                self.recorder.message("client", "kafka", f"another producer: {place}", at=record.timestamp / 1000)
                continue
            if facts["event_id"] not in known:
                known.add(facts["event_id"])
                at = datetime.fromisoformat(facts["occurred_at"]).timestamp()
                self.recorder.message("wallet", "mysql", f"COMMIT {facts['request_id']}", int(facts["sequence"]), at)
            self.recorder.message("relay", "kafka", place, int(facts["sequence"]), record.timestamp / 1000)
        for name, line in self._batches():
            names = list(dict.fromkeys(line["request_ids"])) or ["no transfer"]
            text = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
            self.recorder.message("kafka", "balances", f"{name} polls {text}", at=_moment(line))
            self.recorder.message("balances", "mysql", f"COMMIT offsets, {text}", at=_moment(line))

    def records_read(self) -> int:
        """How many records Balances has applied or parked since the run's start, as its log shows."""
        return sum(line["records"] for _, line in self._batches())

    def _batches(self) -> list[tuple[str, dict[str, Any]]]:
        """(instance, line of its log) of each batch of records that Balances has committed."""
        names = [path.stem for path in sorted((self.system.folder / "logs").glob("balances*.log"))]
        return [(name, line) for name in names for line in self.log_lines(name) if "records" in line]

    def log_lines(self, name: str) -> list[dict[str, Any]]:
        """What the service has logged since the run's start."""
        return [line for line in self.system.log_lines(name) if _moment(line) >= self.recorder.started_at]

    def _balances(self, database: str, table: str, key: str) -> dict[str, Decimal]:
        return dict(self.system.rows(database, f"SELECT {key}, balance FROM {table}"))


def headers(record: Any) -> dict[str, str]:
    """The headers of a record as text; a record of another producer may have none."""
    return {name: value.decode() for name, value in record.headers}


def _moment(line: dict[str, Any]) -> float:
    return datetime.fromisoformat(line["time"]).timestamp()
