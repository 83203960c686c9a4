"""A benchmark: steps that are measured in turn, product and reference interleaved, and the rows that compare them."""

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.report import Row, Run


@dataclass(frozen=True)
class Step:
    """Measures for about `seconds` and gives the values by name. `is_product` is False for a reference.

    One run of the step takes `fixed_seconds` and `times` the seconds of a measurement.
    """

    measure: Callable[[int], Run]
    is_product: bool = True
    fixed_seconds: float = 0.0
    times: float = 1.0


@dataclass(frozen=True)
class Benchmark:
    """`prepare(root)` starts the services from the code in that folder and fills the tables, for the `with` block."""

    about: str
    prepare: Callable[[Path], AbstractContextManager[None]]
    steps: Sequence[Step]
    rows: Sequence[Row]
    prepare_seconds: float = 8.0

    def estimate_seconds(self, runs: int, seconds: int) -> float:
        return self.prepare_seconds + runs * sum(step.fixed_seconds + step.times * seconds for step in self.steps)

    def run(self, seconds: int, product_only: bool = False) -> Run:
        """Every step once, in order: one run."""
        values: dict[str, float] = {}
        for step in self.steps:
            if step.is_product or not product_only:
                values.update(step.measure(seconds))
        return values


def progress(text: str) -> None:
    """Print to standard error, which carries no results."""
    print(text, file=sys.stderr, flush=True)
