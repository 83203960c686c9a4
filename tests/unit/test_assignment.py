"""Positions in a log, with stand-ins for Kafka's client and for the stored offsets."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import OffsetAndMetadata, TopicPartition

from common.events import offsets
from common.events.assignment import Assignment
from common.events.offsets import Partition, Start, StoredOffset
from common.events.starts import log_starts
from tests.stand_ins import record

FIRST, TP = Partition("balances", 0), TopicPartition("balances", 0)


class Client:
    """A KafkaConsumer with one partition, whose log a test may cut."""

    def __init__(self, end: int) -> None:
        self.beginning, self.end, self.position, self.leader_epoch = 0, end, 0, 3
        self.leader = 1
        self.shrinks_at_once = False
        self._paused: set[TopicPartition] = set()
        self._records: list[Any] = []
        self._cluster = SimpleNamespace(
            _lock=nullcontext(),
            partitions_for_topic=lambda topic: {0},
            topic_id=lambda topic: "T1",
            leader_for_partition=lambda tp: self.leader,
        )
        self._subscription = SimpleNamespace(
            all_consumed_offsets=lambda: {TP: OffsetAndMetadata(self.position, "", self.leader_epoch)}, seek=self._seek
        )

    def poll(self, timeout_ms: int) -> dict[TopicPartition, list[Any]]:
        records, self._records = self._records, []
        return {TP: records} if records else {}

    def returns(self, *offsets: int, leader_epoch: int = 3) -> None:
        """What the next poll returns."""
        self._records = [record(offset=offset, leader_epoch=leader_epoch) for offset in offsets]
        self.position, self.leader_epoch = offsets[-1] + 1, leader_epoch

    def assignment(self) -> set[TopicPartition]:
        return {TP}

    def paused(self) -> set[TopicPartition]:
        return set(self._paused)

    def pause(self, *partitions: TopicPartition) -> None:
        self._paused |= set(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        self._paused -= set(partitions)

    def _seek(self, tp: TopicPartition, position: OffsetAndMetadata) -> None:
        self.position, self.leader_epoch = position.offset, position.leader_epoch

    def beginning_offsets(self, partitions: list[TopicPartition], timeout_ms: int) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, self.beginning)

    def end_offsets(self, partitions: list[TopicPartition], timeout_ms: int) -> dict[TopicPartition, int]:
        if self.shrinks_at_once:
            raise KeyError(partitions[0])  # as the library does for a partition that its metadata lost meanwhile
        return dict.fromkeys(partitions, self.end)


class Offsets:
    """A database with one stored offset."""

    def __init__(self, offset: int) -> None:
        self.stored = {FIRST: StoredOffset("T1", offset, 3)}
        self.data_loss: list[Partition] = []

    def read(self, query: Any, topics: Any) -> dict[Partition, StoredOffset]:
        return dict(self.stored)

    @contextmanager
    def transaction(self) -> Iterator["Offsets"]:
        yield self

    def executemany(self, statement: str, rows: Any) -> int:
        assert not rows
        return 0

    def execute(self, statement: str, parameters: tuple[Any, ...]) -> int:
        assert statement == offsets._MOVE_ONE
        *stored, topic, number, topic_id, offset = parameters
        assert (Partition(topic, number), topic_id, offset) == (FIRST, *self.stored[FIRST][:2])
        self.stored = {FIRST: StoredOffset(*stored)}
        return 1

    def queue(self, statement: str, parameters: tuple[str, int]) -> None:
        assert "history_gone_at" in statement
        self.data_loss.append(Partition(*parameters))


@pytest.fixture
def client() -> Client:
    return Client(end=100)


@pytest.fixture
def database() -> Offsets:
    return Offsets(70)


@pytest.fixture
def assignment(client: Client, database: Offsets) -> Assignment:
    """At offset 70 of a log that ends at 100."""
    initialized = Assignment(client, ["balances"])
    assert initialized.initialize(database)  # type: ignore[arg-type]
    return initialized


def test_a_partition_begins_at_its_stored_offset_and_continues_after_each_batch(
    assignment: Assignment, client: Client
) -> None:
    client.returns(70, 71)
    batches = assignment.poll()
    assignment.applied(batches)

    assert batches[FIRST].next_offset == 72
    assert assignment.positions == {FIRST: StoredOffset("T1", 72, 3)}


def test_the_client_begins_with_the_leader_epoch_that_is_stored(assignment: Assignment, client: Client) -> None:
    assert (client.position, client.leader_epoch) == (70, 3)


def test_the_leader_epoch_of_a_batch_is_its_last_records(assignment: Assignment, client: Client) -> None:
    client.returns(70, 71, leader_epoch=4)
    batches = assignment.poll()
    assignment.applied(batches)

    assert assignment.positions == {FIRST: StoredOffset("T1", 72, 4)}


def test_after_the_marker_of_a_transaction_its_leader_epoch_counts(assignment: Assignment, client: Client) -> None:
    client.returns(70, 71)
    client.position, client.leader_epoch = 73, 5
    batches = assignment.poll()
    assignment.applied(batches)

    assert assignment.positions == {FIRST: StoredOffset("T1", 73, 5)}


def test_a_position_that_moved_over_markers_alone_has_their_leader_epoch(
    assignment: Assignment, client: Client
) -> None:
    client.position, client.leader_epoch = 71, 5
    batches = assignment.skipped()
    assignment.applied(batches)

    assert assignment.positions == {FIRST: StoredOffset("T1", 71, 5)}


def test_a_log_that_was_cut_and_has_grown_past_the_stored_offset_again_is_read_from_where_it_was_cut(
    assignment: Assignment, client: Client, database: Offsets
) -> None:
    client.returns(40, 41)  # the client found that the log was truncated to 40, and moved back there

    discarded = assignment.poll()
    assignment.initialize(database)  # type: ignore[arg-type]

    assert discarded == {}
    assert client.position == 40
    assert database.stored == {FIRST: StoredOffset("T1", 40)}
    assert database.data_loss == [FIRST]


def test_a_position_that_moved_back_without_a_record_is_found_too(
    assignment: Assignment, client: Client, database: Offsets
) -> None:
    client.position = 40

    discarded = assignment.skipped()
    assignment.initialize(database)  # type: ignore[arg-type]

    assert discarded == {}
    assert (client.position, database.data_loss) == (40, [FIRST])


def test_a_gap_in_a_log_that_begins_before_it_is_no_loss(
    assignment: Assignment, client: Client, database: Offsets
) -> None:
    client.returns(75)

    batches = assignment.poll()

    assert (batches[FIRST].next_offset, batches[FIRST].hole) == (76, False)
    assert database.data_loss == []


def test_a_gap_in_a_log_that_begins_after_the_position_is_a_loss(
    assignment: Assignment, client: Client, database: Offsets
) -> None:
    client.beginning = 75
    client.returns(75)

    discarded = assignment.poll()
    assignment.initialize(database)  # type: ignore[arg-type]

    assert discarded == {}
    assert (client.position, database.data_loss) == (75, [FIRST])


def test_a_partition_without_a_leader_is_initialized_once_it_has_one(client: Client, database: Offsets) -> None:
    assignment = Assignment(client, ["balances"])
    client.leader = -1
    without = assignment.initialize(database), dict(assignment.positions)  # type: ignore[arg-type]
    client.leader = 1

    assert without == (False, {})
    assert assignment.initialize(database)  # type: ignore[arg-type]


def test_a_partition_that_is_removed_while_its_ends_are_asked_for_is_initialized_later(
    client: Client, database: Offsets
) -> None:
    assignment = Assignment(client, ["balances"])
    client.shrinks_at_once = True
    interrupted = assignment.initialize(database)  # type: ignore[arg-type]
    client.shrinks_at_once = False

    assert not interrupted
    assert assignment.initialize(database)  # type: ignore[arg-type]


# ---- what is logged


def test_five_thousand_partitions_are_one_line_for_each_reason(caplog: pytest.LogCaptureFixture) -> None:
    first = {Partition("balances", number): Start(0, "first read") for number in range(4_999)}
    lost = {Partition("accounts", 7): Start(3, "records were removed before they were read", data_loss=True)}

    with caplog.at_level("INFO", logger="consumer"):
        log_starts(first | lost)

    logged = [(each.levelname, each.message, each.count, each.partitions) for each in caplog.records]  # type: ignore[attr-defined]
    assert logged == [
        ("INFO", "first read", 4_999, [f"balances[{number}]" for number in range(10)]),
        ("WARNING", "records were removed before they were read", 1, ["accounts[7]"]),
    ]


def test_a_partition_that_is_initialized_again_at_the_same_offset_is_not_logged_again(
    client: Client, database: Offsets, caplog: pytest.LogCaptureFixture
) -> None:
    assignment = Assignment(client, ["balances"])
    with caplog.at_level("INFO", logger="consumer"):
        for _ in range(3):  # as while MySQL refuses to write
            assignment.initialize(database)  # type: ignore[arg-type]
            assignment.invalidate([FIRST])

    assert [each.message for each in caplog.records] == ["continuing at the stored offset"]


def test_a_consumer_that_was_restarted_logs_only_the_starts_that_are_not_the_stored_offset(
    client: Client, database: Offsets, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="consumer"):
        Assignment(client, ["balances"], restarted=True).initialize(database)  # type: ignore[arg-type]
        client.end = 60
        Assignment(client, ["balances"], restarted=True).initialize(database)  # type: ignore[arg-type]

    assert [each.message for each in caplog.records] == ["the log was truncated"]
