"""The documents of the labs: complete, and with the damage that the labs check."""

import re

import pytest

from tests.documents import ROOT
from tests.labs.catalog import LABS
from tests.labs.run import Lab

FOLDER = ROOT / "docs" / "labs"


@pytest.mark.parametrize("lab", LABS.values(), ids=LABS)
def test_a_lab_has_its_documents_and_diagrams(lab: Lab) -> None:
    names = [f"{lab.title}{end}" for end in (".md", ".pt-BR.md", ".svg", "-naive.svg")]

    assert [name for name in names if not (FOLDER / name).is_file()] == []
    for name in names[:2]:
        text = (FOLDER / name).read_text(encoding="utf-8")
        assert f"./local.sh lab {lab.name}" in text
        assert f"({lab.title}-naive.svg)" in text
        assert f"({lab.title}.svg)" in text
        assert str(lab.damage) in text


@pytest.mark.parametrize("name", ["README.md", "README.pt-BR.md"])
def test_the_table_of_the_labs_has_the_damage_that_the_tests_check(name: str) -> None:
    text = (FOLDER / name).read_text(encoding="utf-8")

    rows = re.findall(r"^\| \[(\d+) ([\w-]+)\]\([^)]+\) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|", text, re.MULTILINE)

    assert rows == [tuple(map(str, (lab.number, lab.name, *lab.damage, 0))) for lab in LABS.values()]
