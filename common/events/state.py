"""The state of a consumer, its servers and its group; and the report of it, as status and log lines."""

import logging
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from common.events.assignment import Assignment
from common.events.offsets import NAMED, Partition
from common.events.progress import Progress
from common.worker_status import WorkerStatus

RECOVERED_SECONDS = 10  # a consumer that fails at each record fails sooner

log = logging.getLogger("consumer")


@dataclass
class State:
    """`positioned`: the consumer once had a position in every partition that the group assigned to it."""

    kafka: str = "unknown"  # or up, or down
    mysql_reads: str = "unknown"  # or up, or down
    mysql_writes_fail: bool = False
    positioned: bool = False
    missing_topics: list[str] = field(default_factory=list)
    leaderless: list[Partition] = field(default_factory=list)
    broker_problem: str | None = None
    progress: Progress = field(default_factory=Progress)

    @property
    def mysql(self) -> str:
        """unknown, up, down, or read_only while reading works and writing does not."""
        return "read_only" if self.mysql_reads != "down" and self.mysql_writes_fail else self.mysql_reads


class Report:
    """Publishes the state, and logs it when it changes.

    `failing`: the error that ended the previous consumer, published until this consumer has run for RECOVERED_SECONDS.
    Until then only warnings are logged: each start of a consumer that fails repeatedly would log the same lines.
    """

    def __init__(self, status: WorkerStatus, compacted: Collection[str]) -> None:
        self.failing: str | None = status.read().get("failing")
        self._recovered_at = time.monotonic() + RECOVERED_SECONDS
        self._status = status
        self._problems = [
            f"topic {topic} is compacted: records may be removed before they are read" for topic in sorted(compacted)
        ]
        self._logged: dict[str, Any] = {}

    def restore(self) -> State:
        """The initial state: what an earlier consumer of this process published and is still true."""
        known = self._status.read()
        state = State(positioned=known.get("positioned", False))
        state.progress.restore(known, time.time() - self._status.age())
        return state

    def publish(self, state: State, assignment: Assignment) -> None:
        """Write the status that /ready and /metrics show; log one line if a fact changed."""
        now = time.time()
        servers = {"consumer": _activity(state, assignment), "kafka": state.kafka, "mysql": state.mysql}
        problems = self._problems + _problems(state, assignment)
        facts = state.progress.snapshot(assignment.positions, now)
        if time.monotonic() >= self._recovered_at:
            self.failing = None
        failing = {"failing": self.failing} if self.failing else {}
        self._status.write({**servers, "positioned": state.positioned, "problems": problems, **facts, **failing})
        self._log_changes(
            {**servers, "stalled": facts["stalled"], "missing_topics": state.missing_topics, "problems": problems},
            state.progress,
            now,
        )

    def _log_changes(self, facts: dict[str, Any], progress: Progress, now: float) -> None:
        """One line when a fact changes; none while it stays, however long."""
        if facts == self._logged:
            return
        bad = "down" in facts.values() or facts["mysql"] == "read_only" or facts["stalled"] or facts["problems"]
        if self.failing and not bad:
            return
        extra = {name: value for name, value in facts.items() if self._logged.get(name) != value}
        if facts["stalled"]:
            extra["partitions"] = [str(partition) for partition in progress.stalled(now)[:10]]
        log.log(logging.WARNING if bad else logging.INFO, "consumer status changed", extra=extra)
        self._logged = facts


def _activity(state: State, assignment: Assignment) -> str:
    if state.kafka == "down":
        return "waiting_for_kafka"
    return "consuming" if assignment.positions else "waiting_for_assignment"


def _problems(state: State, assignment: Assignment) -> list[str]:
    found = [f"topic {topic} does not exist" for topic in state.missing_topics]
    if state.leaderless:
        names = ", ".join(map(str, state.leaderless[:NAMED]))
        found.append(f"{len(state.leaderless)} partitions have no leader: {names}; start the brokers that hold them")
    if state.broker_problem:
        found.append(state.broker_problem)
    if any(not stored.topic_id for stored in assignment.positions.values()):
        found.append("the broker has no topic ids: a re-created topic is recognised by its offsets alone")
    return found
