"""Runs a lab: the naive half, the project's half, and the diagram of each."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.labs.diagram import svg
from tests.labs.naive_system import Damage
from tests.labs.run import Lab, NaiveRun, Run
from tests.labs.system import System

NAIVE, PROJECT = "--- the naive services (tests/labs/naive)", "--- Wallet and Balances"


class Outcome(NamedTuple):
    naive: Damage
    project: Damage
    verdict: str  # the last line of `balances reconcile`

    def shows(self, damage: Damage) -> bool:
        """Whether the fault did this damage to the naive services, and none to Wallet and Balances."""
        return (self.naive, self.project, self.verdict) == (damage, Damage(), "consistent")


def play(lab: Lab, system: System, folder: Path) -> Outcome:
    """Run both halves of the lab and write their diagrams to the folder."""
    started = time.monotonic()
    print(f"Lab {lab.number}: {lab.name}\n{lab.question}\n", flush=True)
    naive = play_naive(lab, system, folder)
    project, verdict = play_project(lab, system, folder)
    print(f"\nNaive:   {naive}\nProject: {project}; reconcile: {verdict}")
    print(f"Diagrams: {folder}/{lab.title}-naive.svg and {folder}/{lab.title}.svg")
    print(f"The lab took {time.monotonic() - started:.0f} s.\n", flush=True)
    return Outcome(naive, project, verdict.rpartition("; ")[2])


def play_naive(lab: Lab, system: System, folder: Path) -> Damage:
    print(NAIVE, flush=True)
    run = NaiveRun(system, lab.partitions)
    try:
        lab.naive(run)
        damage = run.bank.damage()
        run.explain(f"the read model shows {run.bank.balances()}: {damage}")
    finally:
        run.bank.close()
    _write(folder / f"{lab.title}-naive.svg", svg(f"Lab {lab.number}, {lab.name}: the naive services", run.recorder))
    return damage


def play_project(lab: Lab, system: System, folder: Path) -> tuple[Damage, str]:
    print(PROJECT, flush=True)
    run = Run(system)
    lab.project(run)
    verdict = system.reconcile()
    run.explain(f"reconcile: {verdict}")
    damage = run.damage()
    run.collect()
    _write(folder / f"{lab.title}.svg", svg(f"Lab {lab.number}, {lab.name}: Wallet and Balances", run.recorder))
    return damage, verdict


def table(outcomes: Mapping[Lab, Outcome]) -> str:
    """The table of docs/labs/README.md."""
    header = "lab | naive: missing events | naive: counted twice | naive: accounts with a wrong balance"
    header += " | this project: accounts with a wrong balance | this project: `reconcile`"
    lines = [f"| {header} |", "| --- " * 6 + "|"]
    for lab, (naive, project, verdict) in outcomes.items():
        counts = f"{naive.missing} | {naive.doubled} | {naive.wrong_accounts} | {project.wrong_accounts}"
        lines.append(f"| [{lab.number} {lab.name}]({lab.title}.md) | {counts} | {verdict} |")
    return "\n".join(lines)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
