"""Measures two revisions of the services in turn: the present code and REV, each from a folder of its own."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tests.bench import system
from tests.bench.benchmark import Benchmark, progress
from tests.bench.report import Result, Row, results

VIRTUAL_ENVIRONMENT_SECONDS = 300


@contextmanager
def checked_out(revision: str) -> Iterator[Path]:
    """A worktree of the revision, with the packages that its requirements.txt pins, for the `with` block."""
    folder = Path(os.environ["LOCAL_DIR"]) / "revision"
    _run("git", "worktree", "add", "--detach", str(folder), revision)
    try:
        progress(f"installing the packages of {revision}")
        _run("python3", "-m", "venv", str(folder / ".venv"))
        pip = [str(folder / ".venv/bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run(*pip, "--require-hashes", "-r", str(folder / "requirements.txt"))
        yield folder
    finally:
        _run("git", "worktree", "remove", "--force", str(folder))


def run(benchmark: Benchmark, revision: str, folder: Path, runs: int, seconds: int) -> list[Result]:
    """The measurements of the product at both revisions. The ratio is the present code / the revision."""
    found = []
    for number in range(runs):
        progress(f"  run {number + 1} of {runs}")
        with benchmark.prepare(system.ROOT):
            present = benchmark.run(seconds, product_only=True)
        with benchmark.prepare(folder):
            earlier = benchmark.run(seconds, product_only=True)
        found.append({**present, **{f"{name} of REV": value for name, value in earlier.items()}})
    rows: dict[str, Row] = {}  # one for each measurement of the product, however many references it has
    for row in benchmark.rows:
        if row.product in found[0]:
            rows.setdefault(row.product, _row(row, revision))
    return results(list(rows.values()), found)


def _row(row: Row, revision: str) -> Row:
    return replace(row, reference=f"{row.product} of REV", reference_name=revision, at_least=None, at_most=None)


def _run(*command: str) -> None:
    subprocess.run(command, cwd=system.ROOT, check=True, stdout=subprocess.DEVNULL, timeout=VIRTUAL_ENVIRONMENT_SECONDS)
