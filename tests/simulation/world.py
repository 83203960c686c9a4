"""The road without processes: the real relay and consumer steps between fakes of MySQL and Kafka.

One seed decides everything: who takes the next step, what fails, and, between any two calls that a step makes, who else
takes steps meanwhile. A schedule that fails is repeated by its seed. The wallet's rules, its messages, the relay's
batch, the consumer's batch, the positions and the folding are the real ones; only what they talk to is made here.
"""

import json
import random
from collections import defaultdict
from contextlib import contextmanager, nullcontext, suppress
from datetime import datetime
from decimal import Decimal
from types import SimpleNamespace

import pymysql
from kafka import TopicPartition
from kafka.errors import KafkaError, KafkaTimeoutError

from balances import projection
from balances.messages import TOPICS, parse
from common.events.consumer import Consumer, Projection
from common.events.offsets import StoredOffset
from common.events.relay import Unacknowledged, relay_batch
from common.mysql import Conflict, DatabaseUnavailable
from wallet.domain import Account, transfer
from wallet.messages import to_message

ACCOUNTS, OPENING = 5, Decimal(1000)
EPOCH = datetime(2026, 11, 22)
CLOCK = 1_795_305_600_000_000  # the same moment, in microseconds


class Crash(BaseException):
    """The process that takes the step dies here."""


class World:
    def __init__(self, seed, steps=250):
        self.random = random.Random(seed)
        self.steps = steps
        self.faults = True
        self.acting = []
        self.wallet = Wallet(self)
        self.kafka = Kafka(self, partitions=self.random.choice((1, 1, 3)))
        self.read_model = ReadModel(self)
        self.relays = [RelayProcess(self) for _ in range(self.random.choice((1, 2)))]
        self.balances = [BalancesProcess(self) for _ in range(self.random.choice((1, 2, 3)))]
        self.kafka.share_out()

    def run(self):
        for _ in range(self.steps):
            self._one_step()
        self._come_to_rest()
        self._assert_promises()

    def between_calls(self, can_fail=(), crash=True):
        """What may happen before a call that a step makes: a crash, an error of the call, or the steps of others."""
        if not self.faults:
            return
        dice = self.random.random()
        if crash and dice < 0.01:
            raise Crash
        if dice < 0.05 and can_fail:
            raise self.random.choice(can_fail)
        if dice < 0.15 and len(self.acting) < 3:
            self._one_step()

    def _one_step(self):
        actors = [self.wallet, self.kafka, *self.relays, *self.balances]
        idle = [each for each in actors if each not in self.acting]
        actor = self.random.choice(idle)
        self.acting.append(actor)
        try:
            actor.step()
        except Crash:
            actor.crash()
        finally:
            self.acting.remove(actor)

    def _come_to_rest(self):
        self.faults = False
        self.wallet.finish_all()
        for _ in range(200):
            for actor in [self.kafka, *self.relays, *self.balances]:
                actor.step()
            if self._is_at_rest():
                return
        raise AssertionError("no rest: something is stuck")

    def _is_at_rest(self):
        return not self.wallet.outbox and all(
            (position := self.read_model.committed.get(("offset", *tp))) and position.next_offset == len(records)
            for tp, records in self.kafka.logs.items()
            if tp.topic == "balances"
        )

    def _assert_promises(self):
        assert sum(self.wallet.balances.values()) == OPENING * ACCOUNTS, "money was made or lost"
        for account_id in self.wallet.told:
            row = self.read_model.committed.get(("balance", account_id))
            assert row is not None, f"{account_id} is not projected"
            assert row.balance == self.wallet.balances[account_id], f"{account_id} is projected wrong: {row}"
        for source, made in self.wallet.transactions.items():
            announced = self.kafka.transaction_ids(source)
            first_occurrences = list(dict.fromkeys(announced))
            assert first_occurrences == made, f"transactions of {source}: {first_occurrences}, not {made}"


class Wallet:
    """Accounts whose transfers commit in another order than they draw outbox ids, unless they share an account."""

    def __init__(self, world):
        self._world = world
        self.balances = {f"account-{number}": OPENING for number in range(ACCOUNTS)}
        self.sequences = dict.fromkeys(self.balances, 0)
        self.outbox = {}
        self.transactions = defaultdict(list)
        self.told = set()
        self._open = []
        self._next_id = 1
        self._made = 0

    def step(self):
        if self._open and self._world.random.random() < 0.5:
            self._finish(self._world.random.choice(self._open), commit=self._world.random.random() < 0.9)
        else:
            self._begin()

    def crash(self):
        self._open.clear()

    def finish_all(self):
        while self._open:
            self._finish(self._open[0], commit=True)

    def _begin(self):
        locked = {account_id for each in self._open for account_id in each.balances}
        free = sorted(self.balances.keys() - locked)
        if len(free) < 2:
            return
        source, target = (Account(each, "", self.balances[each], EPOCH) for each in self._world.random.sample(free, 2))
        self._made += 1
        source.sequence, target.sequence = self.sequences[source.id], self.sequences[target.id]
        transaction, events = transfer(str(self._made), source, target, Decimal("0.01") * self._made, CLOCK, EPOCH)
        rows = {}
        for event in events:
            rows[self._next_id] = to_message(event)
            self._next_id += 1
        balances = {source.id: source.balance, target.id: target.balance}
        self._open.append(
            SimpleNamespace(balances=balances, rows=rows, transaction=transaction, sequence=source.sequence)
        )

    def _finish(self, work, commit):
        self._open.remove(work)
        if commit:
            self.balances.update(work.balances)
            self.sequences.update(dict.fromkeys(work.balances, work.sequence))
            self.outbox.update(work.rows)
            self.told.update(work.balances)
            self.transactions[work.transaction.account_id_from].append(work.transaction.id)


class RelayProcess:
    """The real relay_batch on a connection and a producer of its own; any of several may believe that it leads."""

    def __init__(self, world):
        self._world = world
        self._producer = Producer(world)

    def step(self):
        with suppress(Unacknowledged, KafkaError, pymysql.Error):
            relay_batch(OutboxConnection(self._world), self._producer)
            return
        self.crash()  # the relay throws its producer away after each failure

    def crash(self):
        self._producer.close()
        self._producer = Producer(self._world)


class OutboxConnection:
    """Understands the two statements that relay_batch makes."""

    def __init__(self, world):
        self._world = world

    @contextmanager
    def cursor(self):
        yield self

    @contextmanager
    def within(self, seconds):
        yield

    def execute(self, statement, parameters):
        self._world.between_calls(can_fail=[pymysql.OperationalError(2013, "lost")])
        outbox = self._world.wallet.outbox
        if statement.startswith("SELECT id, topic"):
            oldest = sorted(outbox.items())[: min(parameters[0], self._world.random.randint(1, 20))]
            self._rows = [(number, *event, f"event-{number}", f"request-{number}", EPOCH) for number, event in oldest]
        elif statement.startswith("DELETE"):
            self._delete(outbox, statement, parameters)
        else:
            raise NotImplementedError(statement)
        # The answer may be lost after the statement took effect.
        self._world.between_calls(can_fail=[pymysql.OperationalError(2013, "lost")])

    def fetchall(self):
        return self._rows

    def _delete(self, outbox, statement, parameters):
        if "JSON_TABLE" in statement:
            for number in json.loads(parameters[0]):
                outbox.pop(number, None)
        elif "<=" in statement:  # not how it is done, but what a careless change would do
            for number in [each for each in outbox if each <= parameters[0]]:
                del outbox[number]
        else:
            raise NotImplementedError(statement)


class Producer:
    """Idempotent: each partition gets a prefix of what was sent to it, in order, once; but perhaps late."""

    def __init__(self, world):
        self._world = world
        self._queues = defaultdict(list)
        world.kafka.producers.append(self)

    def send(self, topic, value, key, headers):
        self._world.between_calls(can_fail=[KafkaTimeoutError("no metadata")])
        queue = self._queues[self._world.kafka.partition_of(topic, key)]
        record = SimpleNamespace(key=key, value=value, headers=headers, delivered=False)
        queue.append(record)
        return SimpleNamespace(get=lambda timeout: self._get(queue, record))

    def close(self):
        """What is under way may still arrive, a prefix of it; the rest is gone."""
        for queue in self._queues.values():
            del queue[self._world.random.randint(0, len(queue)) :]

    def deliver_some(self):
        for tp, queue in self._queues.items():
            for record in queue[: self._world.random.randint(0, len(queue))]:
                self._deliver(tp, queue, record)

    def _get(self, queue, record):
        self._world.between_calls(can_fail=[KafkaTimeoutError("no answer")])
        tp = next(tp for tp, each in self._queues.items() if each is queue)
        while not record.delivered:
            if record not in queue:
                raise KafkaTimeoutError("the producer was closed")
            self._deliver(tp, queue, queue[0])
        # The acknowledgement may be lost on its way.
        self._world.between_calls(can_fail=[KafkaTimeoutError("no answer")])

    def _deliver(self, tp, queue, record):
        queue.remove(record)
        record.delivered = True
        self._world.kafka.append(tp, record.key, record.value, record.headers)


class Kafka:
    """Logs and a group. Its own steps deliver late records, repeat old ones and move partitions between members."""

    def __init__(self, world, partitions):
        self._world = world
        self._partitions = partitions
        self.logs = {TopicPartition(topic, n): [] for topic in ("balances", "transactions") for n in range(partitions)}
        self.producers = []
        self.owners = {}

    def step(self):
        dice = self._world.random.random()
        if dice < 0.5 or not self._world.faults:
            for producer in self.producers:
                producer.deliver_some()
        elif dice < 0.8:
            self.share_out()
        else:
            self._repeat_an_old_record()

    def crash(self):
        pass

    def share_out(self):
        for tp in self.logs:
            if tp.topic == "balances":
                self.owners[tp] = self._world.random.choice(self._world.balances)

    def partition_of(self, topic, key):
        return TopicPartition(topic, sum(key) % self._partitions)

    def append(self, tp, key, value, headers):
        log = self.logs[tp]
        record = SimpleNamespace(
            topic=tp.topic, partition=tp.partition, offset=len(log), key=key, value=value, headers=headers, timestamp=1
        )
        log.append(record)

    def transaction_ids(self, source):
        """The ids announced on `transactions` for an account, with repetitions, in the order of its partition."""
        log = self.logs[self.partition_of("transactions", source.encode())]
        return [_id_in(record.value) for record in log if record.key == source.encode()]

    def _repeat_an_old_record(self):
        tp, log = self._world.random.choice([(tp, log) for tp, log in self.logs.items()])
        if log:
            old = self._world.random.choice(log)
            self.append(tp, old.key, old.value, old.headers)


class BalancesProcess:
    """The real consume_batch with a client of its own, which hears of its partitions late, or too late."""

    def __init__(self, world):
        self._world = world
        self.crash()

    def crash(self):
        status = SimpleNamespace(read=dict, write=lambda facts: None)
        self._client = GroupMember(self._world, self)
        feeding = Projection(TOPICS, lambda record: parse(record, lambda: CLOCK * 2), projection.apply)
        self._consumer = Consumer(self._client, self._world.read_model, feeding, status)
        self._client.listener = self._consumer.assignment

    def step(self):
        self._consumer.consume_batch()


class GroupMember:
    """What Consumer uses of a KafkaConsumer. Until it hears of a rebalance it reads on: a zombie."""

    def __init__(self, world, process):
        self._world = world
        self._process = process
        self._positions = {}
        self._paused = set()
        self._cluster = SimpleNamespace(
            _lock=nullcontext(),
            topic_id=lambda topic: "00000000-0000-4000-8000-000000000001",
            partitions_for_topic=lambda topic: {0},
        )

    def poll(self, timeout_ms):
        self._world.between_calls()
        if not self._world.faults or self._world.random.random() < 0.7:
            self._hear_of_the_group()
        batches = {}
        for tp in self._positions.keys() - self._paused:
            log, start = self._world.kafka.logs[tp], self._positions[tp]
            if batch := log[start : start + self._world.random.randint(0, 6)]:
                batches[tp] = batch
                self._positions[tp] = batch[-1].offset + 1
        return batches

    def assignment(self):
        return set(self._positions)

    def paused(self):
        return set(self._paused)

    def pause(self, *partitions):
        self._paused.update(partitions)

    def resume(self, *partitions):
        self._paused.difference_update(partitions)

    def seek(self, tp, offset):
        self._positions[tp] = offset

    def position(self, tp):
        return self._positions[tp]

    def beginning_offsets(self, partitions, timeout_ms):
        self._world.between_calls(can_fail=[KafkaTimeoutError("no answer")])
        return dict.fromkeys(partitions, 0)

    def end_offsets(self, partitions, timeout_ms):
        self._world.between_calls(can_fail=[KafkaTimeoutError("no answer")])
        return {tp: len(self._world.kafka.logs[tp]) for tp in partitions}

    def highwater(self, tp):
        return len(self._world.kafka.logs[tp])

    def commit_async(self, offsets):
        pass

    def _hear_of_the_group(self):
        mine = {tp for tp, owner in self._world.kafka.owners.items() if owner is self._process}
        fresh = mine - self._positions.keys()
        for tp in self._positions.keys() - mine:
            del self._positions[tp]
            self._paused.discard(tp)
        for tp in fresh:
            self._positions[tp] = 0  # auto_offset_reset='earliest'
        if fresh:
            self.listener.on_partitions_assigned(fresh)


class ReadModel:
    """The Balances database: READ COMMITTED, row locks, and COMMITs whose answer is lost.

    Keys are ("offset", topic, partition) and ("balance", account id). A transaction that wants a row which another
    has changed and not committed gets a Conflict, as it would after the lock's time.
    """

    def __init__(self, world):
        self._world = world
        self.committed = {}
        self._open = []

    def read(self, query, *arguments):
        return query(_Transaction(self._world, self.committed, self._open), *arguments)

    @contextmanager
    def transaction(self):
        self._world.between_calls(can_fail=[DatabaseUnavailable("no connection")])
        work = _Transaction(self._world, self.committed, self._open)
        self._open.append(work)
        try:
            yield work
            self._world.between_calls(can_fail=[DatabaseUnavailable("lost before the COMMIT")])
            self._commit(work)
        finally:
            self._open.remove(work)
        self._world.between_calls(can_fail=[DatabaseUnavailable("the COMMIT's answer was lost")])

    def _commit(self, work):
        for key, row in work.changed.items():
            if key[0] == "balance" and (old := self.committed.get(key)):
                assert row.sequence >= old.sequence, f"{key[1]} was read backwards: {old} became {row}"
        self.committed.update(work.changed)


class _Transaction:
    """A cursor that understands the statements of positions and projection."""

    def __init__(self, world, committed, others):
        self._world, self._committed, self._others = world, committed, others
        self.changed = {}

    def execute(self, statement, parameters=()):
        self._world.between_calls(can_fail=[DatabaseUnavailable("lost")])
        if statement.startswith("SELECT topic, partition_id, topic_id, next_offset FROM consumer_offsets"):
            self._rows = [
                (*key[1:], *row) for key, row in {**self._committed, **self.changed}.items() if key[0] == "offset"
            ]
            return None
        if statement.startswith("INSERT IGNORE INTO consumer_offsets"):
            topic, partition, topic_id, offset, _ = parameters
            return self._change(("offset", topic, partition), StoredOffset(topic_id, offset), lambda old: old is None)
        if statement.startswith("UPDATE consumer_offsets SET next_offset = %s WHERE"):
            offset, topic, partition, *expected = parameters
            row = StoredOffset(expected[0] if expected else "", offset)
            return self._change(("offset", topic, partition), row, lambda old: not expected or old == tuple(expected))
        if statement.startswith("UPDATE consumer_offsets SET topic_id"):
            raise AssertionError("the log was never cut, and its topic never made anew")
        raise NotImplementedError(statement)

    def executemany(self, statement, rows):
        self._world.between_calls(can_fail=[DatabaseUnavailable("lost")])
        self.upserted = len(rows)
        allowed = {
            projection._NEWER: lambda old, new: old is None or new.sequence > old.sequence,
            projection._IN_ORDER: lambda old, new: True,
            projection._ABSENT: lambda old, new: old is None,
        }[statement]
        for values in rows:
            row = projection.Row(*values)
            self._change(("balance", row.account_id), row, lambda old, row=row: allowed(old, row))

    def fetchall(self):
        return self._rows

    def _get(self, key):
        return self.changed.get(key, self._committed.get(key))

    def _change(self, key, row, condition):
        if any(key in each.changed for each in self._others if each is not self):
            raise Conflict(f"{key} is locked")
        if not condition(self._get(key)):
            return 0
        self.changed[key] = row
        return 1


def _id_in(value):
    return value.split(b'"id":"')[1].split(b'"')[0].decode()
