"""Runs a lab: the naive half, the project's half, and the diagram of each."""

import time
from pathlib import Path
from typing import NamedTuple

from tests.labs.diagram import svg
from tests.labs.naive_system import Damage
from tests.labs.run import Lab, NaiveRun, Run
from tests.labs.system import System


class Outcome(NamedTuple):
    naive: Damage
    project: Damage
    verdict: str  # the last line of `balances reconcile`


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
    print("--- the naive services (tests/labs/naive)", flush=True)
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
    print("--- Wallet and Balances", flush=True)
    run = Run(system)
    lab.project(run)
    verdict = system.reconcile()
    run.explain(f"reconcile: {verdict}")
    damage = run.damage()
    run.collect()
    _write(folder / f"{lab.title}.svg", svg(f"Lab {lab.number}, {lab.name}: Wallet and Balances", run.recorder))
    return damage, verdict


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
