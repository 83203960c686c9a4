"""What was published since a quiet moment, and whether these events follow from one another."""

import json
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from kafka import KafkaConsumer, TopicPartition

from tests.faults.clients import Broken, State
from tests.faults.system import PARTITIONS, TOPICS, System

READ_SECONDS = 30

Key = tuple[str, int]  # account_id_from and sequence: both events of a transfer carry them


class Movement(NamedTuple):
    """A TransactionCreated."""

    sequence: int
    source: str
    target: str
    amount: Decimal


class Ledger:
    """Begins with what is stored now, while nothing is in flight; each `read` goes on where the last one ended.

    `ordered`: a transfer's event is published after those of the same account_id_from that committed before it. A
    cluster of several primaries does not promise this: its nodes draw the ids of the outbox independently.
    """

    def __init__(self, system: System, ordered: bool = True) -> None:
        self._system, self._ordered = system, ordered
        with self._consumer() as consumer:
            partitions = [TopicPartition(topic, number) for topic in TOPICS for number in range(PARTITIONS)]
            self._next = consumer.end_offsets(partitions, timeout_ms=READ_SECONDS * 1000)
        self._values: dict[Key, bytes] = {}  # of the BalanceUpdated
        self._unplayed: dict[Key, tuple[dict[str, Any], str]] = {}  # payload, occurred_at
        self._movements: dict[Key, Movement] = {}
        self._newest: dict[str, int] = {}  # account_id_from -> sequence of its newest first occurrence
        self.transactions: dict[str, Movement] = {}  # by id
        self.repeats = 0  # records of a transfer that was published before
        self.balances: dict[str, Decimal] = dict(system.rows("wallet", "SELECT id, balance FROM accounts"))
        self.sequences: dict[str, int] = {}  # account -> sequence of its last BalanceUpdated
        self.states: set[State] = {  # what could ever be read of an account
            (account, sequence, _text(moment), balance)
            for account, sequence, moment, balance in system.rows(
                "balances", "SELECT account_id, sequence, updated_at, balance FROM balances"
            )
        }

    def read(self) -> None:
        """Read up to the present ends. Raises Broken where the records contradict each other."""
        with self._consumer() as consumer:
            ends = consumer.end_offsets(list(self._next), timeout_ms=READ_SECONDS * 1000)
            consumer.assign(list(self._next))
            for tp, offset in self._next.items():
                consumer.seek(tp, offset)
            while any(self._next[tp] < end for tp, end in ends.items()):
                for tp, batch in consumer.poll(timeout_ms=500, max_records=5000).items():
                    for record in batch:
                        self._note(record)
                    self._next[tp] = batch[-1].offset + 1
        self._play()

    def _consumer(self) -> Any:
        return closing(KafkaConsumer(bootstrap_servers=self._system.bootstrap_servers, api_version=(3, 9)))

    def _note(self, record: Any) -> None:
        headers = dict(record.headers)
        if not headers.get("sequence", b"").isdigit():
            return  # an unreadable record, sent on purpose
        sequence, occurred_at = int(headers["sequence"]), headers["occurred_at"].decode()
        message = json.loads(record.value, parse_float=Decimal, parse_int=Decimal)
        name, payload = message["Name"], message["Payload"]
        if name == "TransactionCreated":
            self._note_movement(sequence, payload)
        elif name == "BalanceUpdated":
            key = payload["account_id_from"], sequence
            if key not in self._values:
                self._values[key] = record.value
                self._unplayed[key] = payload, occurred_at
            elif self._values[key] != record.value:
                raise Broken(f"two events of {key} differ: {self._values[key]!r} {record.value!r}")
        elif name == "AccountCreated" and payload["account_id"] not in self.balances:
            self.balances[payload["account_id"]] = payload["balance"]
            self.states.add((payload["account_id"], sequence, occurred_at, payload["balance"]))

    def _note_movement(self, sequence: int, payload: dict[str, Any]) -> None:
        if payload["id"] in self.transactions:
            self.repeats += 1
            return
        movement = Movement(sequence, payload["account_id_from"], payload["account_id_to"], payload["amount"])
        if self._ordered and sequence < self._newest.get(movement.source, 0):
            raise Broken(f"transaction {payload['id']} of {movement.source} was published after a newer one")
        if self._movements.setdefault((movement.source, sequence), movement) is not movement:
            raise Broken(f"two transfers of {movement.source} have the sequence {sequence}")
        self._newest[movement.source] = sequence
        self.transactions[payload["id"]] = movement

    def _play(self) -> None:
        """Check that each balance is the previous balance of its account, by sequence, plus the amount."""
        for key in sorted(self._unplayed, key=lambda each: each[1]):
            payload, occurred_at = self._unplayed.pop(key)
            movement = self._movements.get(key)
            if movement is None:
                raise Broken(f"the BalanceUpdated {key} was published, its TransactionCreated was not")
            changes = (("from", movement.source, -movement.amount), ("to", movement.target, movement.amount))
            for side, account, change in changes:
                balance = payload[f"balance_account_id_{side}"]
                if payload[f"account_id_{side}"] != account or balance != self.balances[account] + change:
                    raise Broken(f"{payload} does not follow from {self.balances[account]} and {movement}")
                if movement.sequence <= self.sequences.get(account, 0):
                    raise Broken(f"sequence {movement.sequence} of {account} comes after {self.sequences[account]}")
                self.balances[account] = balance
                self.sequences[account] = movement.sequence
                self.states.add((account, movement.sequence, occurred_at, balance))
        if len(self._values) != len(self.transactions):
            raise Broken(f"{len(self.transactions)} TransactionCreated, and {len(self._values)} BalanceUpdated")


def _text(moment: datetime) -> str:
    return f"{moment.isoformat(timespec='microseconds')}Z"
