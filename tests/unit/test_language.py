"""The words that this project does not use, in code, names, texts and documents (see CONTRIBUTING.md, Language)."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.documents import ALL, ROOT, Document

# Each with what to write instead.
WORDS = {
    r"hears?|heard|hearing": "consume, receive",
    r"tells?|told|telling": "report, publish, show",
    r"says?|said|saying": "report, print, log",
    r"roads?": "pipeline, end-to-end",
    r"anew|afresh": "re-create, again",
    r"aways?": "unavailable; lost; discarded",
    r"wholes?": "complete, atomic, consistent; integer",
    r"stands?|stood|standing": "is, exists",
    r"looks?|looked|looking": "check, collect, read",
    r"rings?|rang|bells?": "notify, wake",
    r"leads?|led": "is the leader",
    r"besides?|lest|whoever|whose word|thereof|therein|hence": "a plain connective",
    r"reckons?|reckoned|unfolds?|unfolded": "compute; decompress",
    r"gives? way|gave way|giving way": "yield",
    r"is to be|are to be|may be had": "must, is",
    r"crowded|untaken": "overloaded; pending",
    r"settles?|settled|settling|unsettles?|unsettled": "initialize, invalidate; in_progress",
    r"verbs?": "command",
    r"figures?": "metric, measurement",
    r"misconfigured|no answer": "ConfigurationError; UpstreamError",
    r"letters? (?:is|are) (?:told|delivered)|orderable|not judged": "has_sequence; unknown",
    r"the original(?:s|'s)?(?! wallet core)": "the Wallet Core (Go)",
}
FORBIDDEN = re.compile("|".join(rf"\b(?:{words})\b" for words in WORDS), re.IGNORECASE)

# Names and phrases that belong to others, or are standard terms.
ALLOWED = re.compile(
    r"stand-ins?\b|stand ins\b|stand in of\b|stand[- ]?by\b|look[- ]?(?:ahead|behind|up)\b|standalone|leading zeros?"
    r"|key ring|keyring|lead time"
    r"|settled at\b",  # a column of dead_letters: both versions use it during an update
    re.IGNORECASE,
)
FOLDERS = ("wallet", "balances", "common", "db", "docker", "http", "tests", "docs", ".github", ".ci")
SUFFIXES = {".py", ".sh", ".sql", ".md", ".html", ".js", ".css", ".yml", ".json", ".http", ".toml", ".properties"}
THIS_FILE = Path(__file__).resolve()
VENDORED = {"swagger_ui", "asyncapi-3.0.0"}  # folders with files of other projects, unchanged

LONGEST_SENTENCE_WORDS = 25


def test_no_file_uses_a_word_that_has_a_better_one() -> None:
    assert dict(_found()) == {}


@pytest.mark.parametrize("document", ALL, ids=lambda document: document.name)
def test_a_sentence_of_a_document_is_short_and_names_its_subject(document: Document) -> None:
    sentences = list(_sentences(document))

    assert [each for each in sentences if len(each.split()) > LONGEST_SENTENCE_WORDS] == []
    assert [each for each in sentences if re.match(r"(It|They|He|She)\b", each)] == []


def _found() -> Iterator[tuple[str, set[str]]]:
    """(file, words in it) of every file that has one."""
    for path in _files():
        name = str(path.relative_to(ROOT))
        text = ALLOWED.sub(" ", _as_words(f"{name}\n{path.read_text(encoding='utf-8')}"))
        words = {match.group().lower() for match in FORBIDDEN.finditer(text)}
        if words:
            yield name, words


def _files() -> Iterator[Path]:
    paths = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()]
    for path in sorted([*paths, *(path for path in ROOT.iterdir() if path.is_file())]):
        known = path.suffix in SUFFIXES or path.name in ("run", "Dockerfile", ".env.example")
        # Portuguese has words that are written as English ones.
        skipped = path == THIS_FILE or {"__pycache__", *VENDORED} & set(path.parts) or path.name.endswith(".pt-BR.md")
        if known and not skipped:
            yield path


def _as_words(text: str) -> str:
    """Identifiers taken apart: LOOK_SECONDS and OutboxRelay are two words each."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text.replace("_", " "))


def _sentences(document: Document) -> Iterator[str]:
    text = re.sub(r"`[^`\n]+`", "Code", document.prose())
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)|<[^>]+>", r"\1", text)
    for line in re.sub(r"\n(?![\n|#\-*>\d])", " ", text).splitlines():
        for cell in line.strip("|").split("|") if line.startswith("|") else [re.sub(r"^[#\-*>\d. ]+", "", line)]:
            yield from filter(None, (part.strip() for part in re.split(r"(?<=[.!?])\s+", cell)))
