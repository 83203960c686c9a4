"""The documents of the project as the tests see them: prose, blocks of code, links and anchors."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)|<img src=\"([^\"]+)\"")


class Document(NamedTuple):
    path: Path
    text: str

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT))

    def blocks(self, language: str) -> list[str]:
        """The text of each fenced block of that language."""
        return [text for found, text in _FENCED.findall(self.text) if found == language]

    def prose(self) -> str:
        """The text without its fenced blocks."""
        return _FENCED.sub("", self.text)

    def inline_code(self) -> list[str]:
        return _INLINE.findall(self.prose())

    def links(self) -> list[str]:
        """The targets of links and pictures, as they are written."""
        return [target or picture for target, picture in _LINK.findall(self.prose())]

    def anchors(self) -> set[str]:
        """The headings as GitHub turns them into anchors."""
        headings = (re.sub(r"[^\w\- ]", "", title.lower()) for title in _HEADING.findall(self.prose()))
        return {title.strip().replace(" ", "-") for title in headings}


def read(path: Path) -> Document:
    return Document(path, path.read_text(encoding="utf-8"))


ALL = [read(path) for path in FILES]
