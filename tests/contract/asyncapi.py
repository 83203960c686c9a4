"""The section of docs/events.md that shows http/wallet.asyncapi.json: `python -m tests.contract.asyncapi` prints it."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DOCUMENT: dict[str, Any] = json.loads((ROOT / "http" / "wallet.asyncapi.json").read_text(encoding="utf-8"))
MESSAGES: dict[str, Any] = DOCUMENT["components"]["messages"]
HEADERS: dict[str, Any] = DOCUMENT["components"]["schemas"]["Headers"]


def topics() -> dict[str, str]:
    """The topic of each event."""
    return {name: each["address"] for each in DOCUMENT["channels"].values() for name in each["messages"]}


def payload(name: str) -> dict[str, Any]:
    """The schema of the event's `Payload`."""
    schema: dict[str, Any] = MESSAGES[name]["payload"]["properties"]["Payload"]
    return schema


def section() -> str:
    """One table for the fields of each event, and one for the headers of all."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    for name, topic in topics().items():
        yield from [f"`{name}`, topic `{topic}`: {MESSAGES[name]['summary']}", ""]
        yield from [*_table("field", payload(name)), ""]
    yield from ["Headers of all four:", "", *_table("header", HEADERS)]


def _table(title: str, schema: dict[str, Any]) -> Iterator[str]:
    yield from [f"| {title} | type | required | description |", "| --- | --- | --- | --- |"]
    for name, field in schema["properties"].items():
        required = "yes" if name in schema["required"] else "no"
        yield f"| `{name}` | {field['type']} | {required} | {field['description']} |"


if __name__ == "__main__":
    sys.stdout.write(section())
