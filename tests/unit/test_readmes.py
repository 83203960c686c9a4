"""The README in both its languages: the same commands, links that lead somewhere, and tests that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENGLISH, PORTUGUESE = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.pt-BR.md"))

FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OUTPUT_OR_COMMENT = re.compile(r"(^|\s)#|^\$ |^[{\[]")
HEADING = re.compile(r"^#+(?= )", re.MULTILINE)
# Settings may stand before a command: `WALLET_PORT=18080 docker compose up`.
COMMAND = re.compile(r"`((?:[A-Z_]+=\S+ )*(?:docker|\./local\.sh|\./entrypoint\.sh|curl) [^`]+)`")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)[^)]*\)")
NAMED_TEST = re.compile(r"`(test_\w+)`")

in_both = pytest.mark.parametrize("readme", [ENGLISH, PORTUGUESE], ids=["English", "Portuguese"])


def test_both_have_the_same_blocks_of_commands():
    english, portuguese = blocks(ENGLISH), blocks(PORTUGUESE)

    assert english
    assert portuguese == english


@pytest.mark.parametrize("document", sorted(ROOT.glob("*.md")), ids=lambda path: path.name)
def test_a_block_of_commands_can_be_pasted_into_any_shell(document):
    """An interactive zsh takes a comment for a command, and any shell takes output for one."""
    lines = [line for block in blocks(document.read_text(encoding="utf-8")) for line in block]

    assert [line for line in lines if OUTPUT_OR_COMMENT.search(line)] == []


def test_both_have_the_same_commands_in_tables_and_sentences():
    english, portuguese = (COMMAND.findall(prose(readme)) for readme in (ENGLISH, PORTUGUESE))

    assert english
    assert portuguese == english


def test_both_have_the_same_sections():
    english, portuguese = (HEADING.findall(prose(readme)) for readme in (ENGLISH, PORTUGUESE))

    assert len(english) > 1
    assert portuguese == english


@in_both
def test_every_link_leads_to_something_in_the_repository(readme):
    targets = LINK.findall(prose(readme))

    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


@in_both
def test_every_test_that_holds_a_promise_exists(readme):
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = NAMED_TEST.findall(readme)

    assert named
    assert [name for name in named if f"def {name}(" not in code] == []


def test_both_name_the_same_tests():
    assert NAMED_TEST.findall(PORTUGUESE) == NAMED_TEST.findall(ENGLISH)


def blocks(readme):
    """The lines of each block of sh."""
    return [text.splitlines() for language, text in FENCED.findall(readme) if language == "sh"]


def prose(readme):
    """Without the fenced blocks, where a # begins a comment."""
    return FENCED.sub("", readme)
