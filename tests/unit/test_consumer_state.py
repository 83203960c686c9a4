"""What a consumer reports of its state, and what it logs."""

from types import SimpleNamespace
from typing import Any

import pytest

from common.events.offsets import Partition
from common.events.state import Report, State
from common.worker_status import WorkerStatus

UNASSIGNED: Any = SimpleNamespace(positions={})


@pytest.fixture
def status() -> WorkerStatus:
    return WorkerStatus()


def test_partitions_without_a_leader_are_a_problem(status: WorkerStatus) -> None:
    Report(status, compacted=()).publish(State(leaderless=[Partition("balances", 1)]), UNASSIGNED)

    assert status.read()["problems"] == [
        "1 partitions have no leader: balances[1]; start the brokers that hold them",
    ]


def test_the_error_of_the_consumer_before_is_reported_and_only_what_is_bad_is_logged(
    status: WorkerStatus, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="consumer")
    status.write({"failing": "refused"})
    report = Report(status, compacted=())
    report.publish(State(kafka="up", mysql_reads="up"), UNASSIGNED)
    report.publish(State(kafka="down", mysql_reads="up"), UNASSIGNED)

    assert status.read()["failing"] == "refused"
    assert [(line.levelname, line.kafka) for line in caplog.records] == [("WARNING", "down")]  # type: ignore[attr-defined]
