"""The diagram of a run as SVG: a lane for each participant, a row for each message, a cross where a process died."""

import re
from collections import defaultdict
from collections.abc import Sequence
from html import escape

from tests.labs.recorder import LANES, Mark, Message, Recorder

LANE, ROW, LEFT, TOP = 168, 30, 64, 70
SHOWN = 6  # messages of one kind between the same two lanes; of more, the first and the last are drawn
TITLES = {"client": "client", "wallet": "Wallet", "mysql": "MySQL", "relay": "relay", "kafka": "Kafka",
          "balances": "Balances"}  # fmt: skip
STYLE = """
text { font: 11px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 14px; font-weight: 600 } .lane { font-weight: 600 } .time { fill: #656d76; font-size: 10px }
line { stroke: #d0d7de } .arrow { stroke: #0969da; stroke-width: 1.4 } .head { fill: #0969da }
.killed, .killed text { stroke: #cf222e } .killed text, .paused text { stroke: none; fill: #cf222e; font-weight: 600 }
.killed line { stroke: #cf222e; stroke-width: 2.5 } .dot { fill: #8250df }
"""


def svg(title: str, recorder: Recorder) -> str:
    """The run as one SVG document; times are seconds since its start."""
    events = condensed(recorder.events())
    width, height = LEFT + LANE * len(LANES), TOP + ROW * len(events) + 20
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text class="title" x="12" y="22">{escape(title)}</text>',
    ]
    for lane in LANES:
        parts.append(f'<line x1="{_x(lane)}" y1="{TOP - 18}" x2="{_x(lane)}" y2="{height - 10}"/>')
        parts.append(f'<text class="lane" x="{_x(lane)}" y="{TOP - 26}" text-anchor="middle">{TITLES[lane]}</text>')
    for row, event in enumerate(events):
        y = TOP + ROW * row + 12
        parts.append(f'<text class="time" x="6" y="{y + 4}">{event.at - recorder.started_at:.3f} s</text>')
        parts.append(_arrow(event, y) if isinstance(event, Message) else _mark(event, y))
    return "\n".join([*parts, "</svg>\n"])


def condensed(events: Sequence[Message | Mark]) -> list[Message | Mark]:
    """The events, without the middle of many messages of one kind: a note gives their number."""
    pairs: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for place, event in enumerate(events):
        if isinstance(event, Message):
            pairs[event.source, event.target, _without_numbers(event.text)].append(place)
    left_out: set[int] = set()
    notes: dict[int, Mark] = {}
    for (source, target, text), places in pairs.items():
        if len(places) > SHOWN:
            middle = places[SHOWN // 2 : -SHOWN // 2]
            left_out.update(middle)
            note = f"{len(middle)} more to {TITLES[target]}: {text}"
            notes[middle[0]] = Mark(events[middle[0]].at, source, "note", note)
    return [notes.get(place, event) for place, event in enumerate(events) if place not in left_out or place in notes]


def _without_numbers(text: str) -> str:
    return re.sub(r"\d+", "…", text)


def _x(lane: str) -> int:
    return LEFT + LANE * LANES.index(lane) + LANE // 2


def _arrow(message: Message, y: int) -> str:
    start, end = _x(message.source), _x(message.target)
    back = 7 if end > start else -7
    text = message.text if message.sequence is None else f"{message.text} · sequence {message.sequence}"
    return (
        f'<line class="arrow" x1="{start}" y1="{y}" x2="{end - back}" y2="{y}"/>'
        f'<path class="head" d="M{end} {y} l{-back} -4 v8 z"/>'
        f'<text x="{(start + end) / 2:g}" y="{y - 5}" text-anchor="middle">{escape(text)}</text>'
    )


def _mark(mark: Mark, y: int) -> str:
    x = _x(mark.lane)
    anchor, side = ("end", -12) if mark.lane == LANES[-1] else ("start", 12)
    text = f'<text x="{x + side}" y="{y + 4}" text-anchor="{anchor}">{escape(mark.text)}</text>'
    if mark.kind in ("killed", "crashed"):
        cross = "".join(f'<line x1="{x - 7}" y1="{y - slope}" x2="{x + 7}" y2="{y + slope}"/>' for slope in (7, -7))
        return f'<g class="killed">{cross}{text}</g>'
    return f'<g class="{mark.kind}"><circle class="dot" cx="{x}" cy="{y}" r="4"/>{text}</g>'
