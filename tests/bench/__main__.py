"""Measure the services against references on the same stack, product and reference in turn.

Each target is a ratio, so it holds on any machine. Absolute values describe only this machine. Run the bench on a
machine with no other load. The exit code is 0 if every target is met, and 1 otherwise.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from tests.bench import compare, events, latency, machine, queries, system, transfers
from tests.bench.benchmark import Benchmark, progress
from tests.bench.report import Result, as_data, results, table

BENCHMARKS: dict[str, Benchmark] = {
    "get": queries.ONE_PROCESS,
    "processes": queries.TWO_PROCESSES,
    "post": transfers.ONE_PROCESS,
    "post-processes": transfers.TWO_PROCESSES,
    "events": events.FEW_ACCOUNTS,
    "accounts": events.MANY_ACCOUNTS,
    "backlog": queries.BACKLOG,
    "latency": latency.LATENCY,
}


def main() -> None:
    options = _parser().parse_args()
    chosen = {name: BENCHMARKS[name] for name in options.only}
    # A comparison prepares each run of each revision.
    rounds, runs = (2 * options.runs, 1) if options.compare else (1, options.runs)
    estimate = rounds * sum(each.estimate_seconds(runs, options.seconds) for each in chosen.values())
    described = machine.describe()
    for name, value in described.items():
        progress(f"{name}: {value}")
    progress(f"{', '.join(chosen)}: about {_minutes(estimate)}")
    found: list[Result] = []
    with compare.checked_out(options.compare) if options.compare else nullcontext() as folder:
        for name, benchmark in chosen.items():
            progress(f"{name}: {benchmark.about}")
            measured = _measure(benchmark, options, folder)
            progress(table(measured))
            found += measured
    print(_as_markdown(described, found) if options.markdown else table(found))
    if options.json:
        options.json.write_text(json.dumps(_as_json(described, options, found), indent=2) + "\n", encoding="utf-8")
    missed = [each.row.metric for each in found if each.met is False]
    if missed:
        sys.exit(f"{len(missed)} targets missed: {'; '.join(missed)}")  # exit code 1


def _measure(benchmark: Benchmark, options: argparse.Namespace, folder: Path | None) -> list[Result]:
    if folder is not None:
        return compare.run(benchmark, options.compare, folder, options.runs, options.seconds)
    found = []
    with benchmark.prepare(system.ROOT):
        for number in range(options.runs):
            progress(f"  run {number + 1} of {options.runs}")
            found.append(benchmark.run(options.seconds))
    return results(benchmark.rows, found)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="local.sh bench",
        description=__doc__,
        epilog="benchmarks: " + "; ".join(f"{name}: {each.about}" for name, each in BENCHMARKS.items()),
    )
    parser.add_argument(
        "--only",
        nargs="+",
        choices=BENCHMARKS,
        default=list(BENCHMARKS),
        metavar="NAME",
        help="run only these benchmarks (default: all); the list is below",
    )
    parser.add_argument(
        "--runs", type=_positive, default=5, help="repeat each measurement N times (default: 5)", metavar="N"
    )
    parser.add_argument(
        "--seconds", type=_positive, default=3, help="measure for S seconds in each run (default: 3)", metavar="S"
    )
    parser.add_argument("--json", type=Path, help="write the results of every run to FILE", metavar="FILE")
    parser.add_argument(
        "--markdown", action="store_true", help="print the machine and the table as docs/performance.md has them"
    )
    parser.add_argument(
        "--compare",
        metavar="REV",
        help="measure the present code against the Git revision REV, in turn; without references and targets",
    )
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be an integer of at least 1, not {text}")
    return number


def _as_markdown(described: dict[str, str], found: Sequence[Result]) -> str:
    lines = [f"| {name} | {value} |" for name, value in described.items()]
    return "\n".join(["| machine | |", "| --- | --- |", *lines, "", table(found)])


def _as_json(described: dict[str, str], options: argparse.Namespace, found: Sequence[Result]) -> dict[str, Any]:
    return {
        "machine": described,
        "runs": options.runs,
        "seconds": options.seconds,
        "compared_with": options.compare,
        "results": as_data(found),
    }


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 90 else f"{seconds:.0f} seconds"


if __name__ == "__main__":
    main()
