"""A figure of the bench, and the table of them."""

import json
import statistics
from dataclasses import dataclass


@dataclass
class Figure:
    """Values of several runs; `limit` is what they are held against, `at_least` or at most."""

    name: str
    unit: str
    values: list
    limit: float | None = None
    at_least: bool = True

    @property
    def median(self):
        return statistics.median(self.values)

    @property
    def verdict(self):
        if self.limit is None:
            return ""
        held = self.median >= self.limit if self.at_least else self.median <= self.limit
        return "yes" if held else "NO"


def table(figures):
    rows = [["figure", "median", "lowest to highest", "limit", "held"]]
    for each in figures:
        limit = "" if each.limit is None else f"{'>=' if each.at_least else '<='} {_text(each.limit)}"
        spread = f"{_text(min(each.values))} to {_text(max(each.values))}"
        rows.append([each.name, f"{_text(each.median)} {each.unit}", spread, limit, each.verdict])
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def as_json(figures):
    return json.dumps([{**vars(each), "median": each.median, "held": each.verdict} for each in figures], indent=2)


def _text(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
