"""Ten labs on a system of their own: `./local.sh lab` lists them, `./local.sh lab NAME` runs one."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.labs.catalog import LABS
from tests.labs.runner import Outcome, play
from tests.labs.system import System

ALL = "all"


def main() -> int:
    parser = argparse.ArgumentParser(prog="./local.sh lab", description=__doc__)
    parser.add_argument("name", nargs="?", choices=[*LABS, ALL], metavar="NAME", help="run this lab, or all of them")
    parser.add_argument("--diagrams", type=Path, default=Path(".local/labs"), metavar="FOLDER",
                        help="write the diagrams there (default: .local/labs)")  # fmt: skip
    parser.add_argument("--test", nargs=argparse.REMAINDER, help="run the labs as tests; what follows goes to pytest")
    options = parser.parse_args()
    if options.test is not None:
        return int(pytest.main(["-q", "-rs", "-s", "--tb=short", "tests/labs", *options.test]))
    if options.name is None:
        print_labs()
        return 0
    names = list(LABS) if options.name == ALL else [options.name]
    system = System()
    outcomes = {name: play(LABS[name], system, options.diagrams) for name in names}
    if options.name == ALL:
        print_table(outcomes)
    return 0 if all(outcomes[name].naive == LABS[name].damage for name in names) else 1


def print_labs() -> None:
    for lab in LABS.values():
        print(f"{lab.number:2}  {lab.name:20} {lab.question}")


def print_table(outcomes: Mapping[str, Outcome]) -> None:
    """The table of docs/labs/README.md."""
    print(
        "| lab | naive: missing | naive: counted twice | naive: wrong accounts | project: wrong accounts | reconcile |"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    for name, (naive, project, verdict) in outcomes.items():
        lab = LABS[name]
        counts = f"{naive.missing} | {naive.doubled} | {naive.wrong_accounts} | {project.wrong_accounts}"
        print(f"| [{lab.number} {name}]({lab.title}.md) | {counts} | {verdict} |")


if __name__ == "__main__":
    sys.exit(main())
