"""The README: short, and the same in both languages. Without README.pt-BR.md there is nothing to compare."""

import re

import pytest

from tests.documents import ROOT, Document, read

READMES = [read(path) for path in sorted(ROOT.glob("README*.md"))]
PAIRS = [(READMES[0], other) for other in READMES[1:]]
MOST_LINES = 150

# Settings may come before a command: `WALLET_PORT=18080 docker compose up`.
COMMAND = re.compile(r"(?:[A-Z_]+=\S+ )*(?:docker|git|\./local\.sh|\./entrypoint\.sh|curl) ?.*")
HEADING = re.compile(r"^#+(?= )", re.MULTILINE)
NAMED_TEST = re.compile(r"test_\w+")

of_each_pair = pytest.mark.parametrize(("english", "other"), PAIRS, ids=[other.name for _, other in PAIRS])


@pytest.mark.parametrize("readme", READMES, ids=lambda readme: readme.name)
def test_a_readme_is_short(readme: Document) -> None:
    assert len(readme.text.splitlines()) <= MOST_LINES


@of_each_pair
def test_both_have_the_same_commands_and_outputs(english: Document, other: Document) -> None:
    assert english.blocks("sh")
    assert [other.blocks(language) for language in ("sh", "json")] == [
        english.blocks(language) for language in ("sh", "json")
    ]


@of_each_pair
def test_both_name_the_same_commands_and_tests_in_the_text(english: Document, other: Document) -> None:
    named = [
        [code for code in readme.inline_code() if COMMAND.fullmatch(code) or NAMED_TEST.fullmatch(code)]
        for readme in (english, other)
    ]

    assert named[0]
    assert named[1] == named[0]


@of_each_pair
def test_both_have_the_same_sections_links_and_diagrams(english: Document, other: Document) -> None:
    shapes = [
        (
            HEADING.findall(readme.prose()),
            [link.replace(".pt-BR.png", ".png") for link in readme.links() if not link.startswith("README")],
            [re.sub(r"\|[^|]+\||\"[^\"]+\"", "", diagram) for diagram in readme.blocks("mermaid")],
        )
        for readme in (english, other)
    ]

    assert len(shapes[0][0]) > 3
    assert shapes[1] == shapes[0]
