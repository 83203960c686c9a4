"""What happened during a run: messages between the lanes of the diagram, and marks on one lane."""

import time
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

LANES = ("client", "wallet", "mysql", "relay", "kafka", "balances")
Kind = Literal["killed", "crashed", "stopped", "paused", "resumed", "started", "note"]


class Message(NamedTuple):
    """`at` is in seconds since 1970; a message from a lane to itself is a note on that lane."""

    at: float
    source: str
    target: str
    text: str
    sequence: int | None = None


class Mark(NamedTuple):
    at: float
    lane: str
    kind: Kind
    text: str


@dataclass
class Recorder:
    started_at: float = field(default_factory=time.time)
    messages: list[Message] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)

    def message(
        self, source: str, target: str, text: str, sequence: int | None = None, at: float | None = None
    ) -> None:
        at = time.time() if at is None else at
        if source == target:
            self.marks.append(Mark(at, source, "note", text))
        else:
            self.messages.append(Message(at, source, target, text, sequence))

    def mark(self, process: str, kind: Kind) -> None:
        """Note what was done to a process: wallet, wallet-2, kafka, …"""
        self.marks.append(Mark(time.time(), process.split("-")[0], kind, f"{process} {kind}"))

    def events(self) -> list[Message | Mark]:
        """All of it, in the order of time."""
        return sorted([*self.messages, *self.marks], key=lambda event: event.at)
