"""Every list of the test suites has the same suites."""

import re
import tomllib

from tests.documents import ROOT

SERVERLESS = {"unit", "contract", "simulation"}
ON_THEIR_OWN_SYSTEM = {"faults", "bench", "labs"}  # each has a command of its own


def test_every_suite_runs_in_both_variants() -> None:
    suites = {path.name for path in (ROOT / "tests").iterdir() if list(path.rglob("test_*.py"))} - ON_THEIR_OWN_SYSTEM
    script = (ROOT / "docker" / "local-suites.sh").read_text(encoding="utf-8")
    command = re.findall(r"^CMD \[\"pytest\".*", (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8"), re.M)[0]
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]["testpaths"]

    assert set(re.findall(r"tests/\{([\w,]+)\}", script)[0].split(",")) == suites
    assert set(re.findall(r"tests/(\w+)", command)) == suites
    assert {path.removeprefix("tests/") for path in settings} == suites
    assert set(re.findall(r"tests/(\w+)", re.findall(r"--fast\) folders=\((.*)\)", script)[0])) == SERVERLESS


def test_the_table_of_suites_is_complete() -> None:
    rows = re.findall(r"^\| `tests/(\w+)` \|", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.MULTILINE)
    folders = {path.name for path in (ROOT / "tests").iterdir() if list(path.rglob("*.py")) and path.is_dir()}

    assert set(rows) == folders - {"__pycache__"}
