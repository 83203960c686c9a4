"""Ten labs on a system of their own: `./local.sh lab` lists them, `./local.sh lab NAME` runs one."""

import argparse
import sys
from pathlib import Path

import pytest

from tests.labs.catalog import LABS
from tests.labs.runner import play, table
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
    outcomes = {LABS[name]: play(LABS[name], system, options.diagrams) for name in names}
    if options.name == ALL:
        print(table(outcomes))
    return 0 if all(outcome.shows(lab.damage) for lab, outcome in outcomes.items()) else 1


def print_labs() -> None:
    for lab in LABS.values():
        print(f"{lab.number:2}  {lab.name:20} {lab.question}")


if __name__ == "__main__":
    sys.exit(main())
