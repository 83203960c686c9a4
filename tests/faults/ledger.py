"""What was written to the topics since a quiet moment, and whether it tells one consistent story."""

import json
from contextlib import closing
from decimal import Decimal
from typing import NamedTuple

from kafka import KafkaConsumer, TopicPartition

from tests.faults.clients import Broken
from tests.faults.system import PARTITIONS, TOPICS

READ_SECONDS = 30


class Told(NamedTuple):
    """A TransactionCreated."""

    sequence: int
    source: str
    target: str
    amount: Decimal


class Ledger:
    """Begins with what is stored now, while all is quiet; reads on at each look, and what it has found stays."""

    def __init__(self, system):
        self._system = system
        with self._consumer() as consumer:
            partitions = [TopicPartition(topic, number) for topic in TOPICS for number in range(PARTITIONS)]
            self._next = consumer.end_offsets(partitions, timeout_ms=READ_SECONDS * 1000)
        self._values = {}  # (account_id_from, sequence) -> value of the BalanceUpdated
        self._unplayed = {}  # (sequence, account_id_from) -> (payload, occurred_at)
        self._newest = {}  # account_id_from -> sequence of its newest first occurrence
        self._told = {}  # (account_id_from, sequence) -> Told
        self.transactions = {}  # id -> Told
        self.balances = dict(system.rows("wallet", "SELECT id, balance FROM accounts"))
        self.sequences = {}  # account -> sequence of its last BalanceUpdated
        self.states = {  # (account, sequence, occurred_at, balance): what could ever be read of an account
            (account, sequence, f"{moment.isoformat(timespec='microseconds')}Z", balance)
            for account, sequence, moment, balance in system.rows(
                "balances", "SELECT account_id, sequence, updated_at, balance FROM balances"
            )
        }

    def read(self):
        """Take in what is new, up to the ends of now. Raises Broken where the records contradict each other."""
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

    def _consumer(self):
        return closing(KafkaConsumer(bootstrap_servers=self._system.bootstrap_servers, api_version=(3, 9)))

    def _note(self, record):
        headers = dict(record.headers)
        if not headers.get("sequence", b"").isdigit():
            return  # poison, sent on purpose
        sequence, occurred_at = int(headers["sequence"]), headers["occurred_at"].decode()
        message = json.loads(record.value, parse_float=Decimal, parse_int=Decimal)
        name, payload = message["Name"], message["Payload"]
        if name == "TransactionCreated" and payload["id"] not in self.transactions:
            told = Told(sequence, payload["account_id_from"], payload["account_id_to"], payload["amount"])
            if sequence < self._newest.get(told.source, 0):
                raise Broken(
                    f"transaction {payload['id']} of {told.source} first stands on its topic after a newer one"
                )
            self._newest[told.source] = sequence
            self.transactions[payload["id"]] = self._told[told.source, sequence] = told
        elif name == "BalanceUpdated":
            event = payload["account_id_from"], sequence
            if event not in self._values:
                self._values[event] = record.value
                self._unplayed[event[::-1]] = payload, occurred_at
            elif self._values[event] != record.value:
                raise Broken(f"two events of {event} have one sequence: {self._values[event]} {record.value}")
        elif name == "AccountCreated" and payload["account_id"] not in self.balances:
            self.balances[payload["account_id"]] = payload["balance"]
            self.states.add((payload["account_id"], sequence, occurred_at, payload["balance"]))

    def _play(self):
        """In the order of their sequence, each new balance is the one before it and the amount: so did they commit."""
        for sequence, source in sorted(self._unplayed):
            payload, occurred_at = self._unplayed.pop((sequence, source))
            told = self._told.get((source, sequence))
            if told is None:
                raise Broken(f"the BalanceUpdated {sequence} is on its topic, its TransactionCreated is not")
            for side, account, change in (("from", told.source, -told.amount), ("to", told.target, told.amount)):
                balance = payload[f"balance_account_id_{side}"]
                if payload[f"account_id_{side}"] != account or balance != self.balances[account] + change:
                    raise Broken(f"{payload} does not follow from {self.balances[account]} and {told}")
                self.balances[account] = balance
                self.sequences[account] = sequence
                self.states.add((account, sequence, occurred_at, balance))
        if len(self._values) != len(self.transactions):
            raise Broken(f"{len(self.transactions)} transactions are told, and {len(self._values)} changes of balances")
