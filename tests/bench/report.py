"""The results of the bench: what a run measured, the ratio to its reference, and the table of both."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Run = Mapping[str, float]  # name of a measurement -> its value in that run


@dataclass(frozen=True)
class Row:
    """One line of the table.

    `product` and `reference` name measurements of a run. The target limits product / reference, or the product's own
    value where there is no reference. The median of all runs must meet the target, with `every_run` each of them.
    """

    metric: str
    unit: str
    product: str
    reference: str | None = None
    reference_name: str = ""
    at_least: float | None = None
    at_most: float | None = None
    every_run: bool = False


@dataclass(frozen=True)
class Result:
    """A row with the values of all runs, in the order of the runs."""

    row: Row
    product: list[float]
    reference: list[float]

    @property
    def ratios(self) -> list[float]:
        """Product / reference of each run: both were measured within seconds, so a slow minute slows both."""
        return [ours / theirs for ours, theirs in zip(self.product, self.reference, strict=False) if theirs]

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without a target. A reference without a value misses the target."""
        values = self.ratios if self.row.reference else self.product
        judged = values if self.row.every_run else [statistics.median(values)] if values else []
        if self.row.at_least is not None:
            return bool(judged) and min(judged) >= self.row.at_least
        if self.row.at_most is not None:
            return bool(judged) and max(judged) <= self.row.at_most
        return None


def results(rows: Sequence[Row], runs: Sequence[Run]) -> list[Result]:
    return [
        Result(row, [run[row.product] for run in runs], [run[row.reference] for run in runs] if row.reference else [])
        for row in rows
    ]


def table(found: Sequence[Result]) -> str:
    """A Markdown table: medians, and the lowest and highest value in parentheses."""
    lines = [["metric", "product", "reference", "ratio", "target", "met"]]
    for each in found:
        reference = f"{each.row.reference_name}: {_spread(each.reference, each.row.unit)}" if each.reference else ""
        product = _spread(each.product, each.row.unit)
        lines.append([each.row.metric, product, reference, _spread(each.ratios), _target(each.row), _met(each)])
    widths = [max(len(line[column]) for line in lines) for column in range(6)]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))} |" for line in lines
    )


def as_data(found: Sequence[Result]) -> list[dict[str, Any]]:
    """The results as JSON values, with every run."""
    return [
        {**vars(each.row), "product": each.product, "reference": each.reference, "ratios": each.ratios, "met": each.met}
        for each in found
    ]


def percentile(values: Sequence[float], percent: int) -> float:
    """The value below which `percent` of the values are, interpolated."""
    if len(values) == 1:
        return values[0]
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def _spread(values: Sequence[float], unit: str = "") -> str:
    if not values:
        return ""
    unit = f" {unit}" if unit else ""
    median = f"{_number(statistics.median(values))}{unit}"
    return median if min(values) == max(values) else f"{median} ({_number(min(values))} to {_number(max(values))})"


def _number(value: float) -> str:
    """Three significant digits, and all of those before the decimal point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _target(row: Row) -> str:
    if row.at_least is not None:
        return f">= {row.at_least:g}"
    return f"<= {row.at_most:g}" if row.at_most is not None else ""


def _met(result: Result) -> str:
    return {True: "yes", False: "NO", None: ""}[result.met]
