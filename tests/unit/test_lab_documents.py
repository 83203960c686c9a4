"""The documents of the labs: complete, and with the words and the damage of the labs."""

import ast
import inspect
import re
from collections.abc import Callable

import pytest

from tests.documents import ROOT, Document, read
from tests.labs.catalog import LABS
from tests.labs.naive_system import Damage
from tests.labs.run import Lab
from tests.labs.runner import NAIVE, PROJECT, Outcome, table

FOLDER = ROOT / "docs" / "labs"
of_each = pytest.mark.parametrize("lab", LABS.values(), ids=LABS)
STEP = re.compile(r" *\d+\.\d s  (.+)")


@of_each
def test_a_lab_has_its_documents_and_diagrams(lab: Lab) -> None:
    names = [f"{lab.title}{end}" for end in (".md", ".pt-BR.md", ".svg", "-naive.svg")]

    assert [name for name in names if not (FOLDER / name).is_file()] == []
    for name in names[:2]:
        text = (FOLDER / name).read_text(encoding="utf-8")
        assert f"./local.sh lab {lab.name}" in text
        assert f"({lab.title}-naive.svg)" in text
        assert f"({lab.title}.svg)" in text
        assert str(lab.damage) in text


@of_each
def test_both_languages_have_the_same_commands_and_outputs(lab: Lab) -> None:
    documents = [read(FOLDER / f"{lab.title}{end}") for end in (".md", ".pt-BR.md")]

    english, portuguese = ([each.blocks("sh"), each.blocks("text"), each.blocks("json")] for each in documents)

    assert english == portuguese


@of_each
def test_a_document_shows_the_steps_that_the_lab_prints(lab: Lab) -> None:
    """`./local.sh lab --test` compares everything that a run prints; this test finds a changed sentence at once."""
    naive, project = _shown(read(FOLDER / f"{lab.title}.md"))

    assert _unlike(naive, lab.naive) == []
    assert _unlike(project, lab.project) == []


def _shown(document: Document) -> list[list[str]]:
    """The steps of both halves in the document's output, each without the last one, which is the runner's."""
    output = next(each for each in document.blocks("text") if each.startswith(NAIVE))
    halves = output.split(PROJECT)
    return [[match[1] for line in half.splitlines() if (match := STEP.match(line))][:-1] for half in halves]


def _unlike(shown: list[str], half: Callable[..., None]) -> list[str]:
    """Steps that only the document or only the program has, or all steps when their order differs."""
    printed = _printed(half)
    found = list(dict.fromkeys(next((each for each in printed if re.fullmatch(each, line)), line) for line in shown))
    differences = [each for each in [*found, *printed] if (each in found) != (each in printed)]
    return differences or (found if found != printed else [])


def _printed(half: Callable[..., None]) -> list[str]:
    """A regular expression for each call of `explain` and `check`, in their order; a value may be anything."""
    forms = {"explain": "{}", "check": "  {}: .+"}
    calls = [each for each in ast.walk(ast.parse(inspect.getsource(half))) if isinstance(each, ast.Call)]
    found = [
        forms[call.func.attr].format(_expression(call.args[0]))
        for call in sorted(calls, key=lambda call: call.lineno)
        if isinstance(call.func, ast.Attribute) and call.func.attr in forms
    ]
    return list(dict.fromkeys(found))  # a fact may be checked twice


def _expression(text: ast.expr) -> str:
    parts = text.values if isinstance(text, ast.JoinedStr) else [text]
    return "".join(re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".+" for part in parts)


def test_the_table_of_the_labs_is_the_one_that_they_print() -> None:
    promised = {lab: Outcome(lab.damage, Damage(), "consistent") for lab in LABS.values()}

    english, portuguese = ((FOLDER / name).read_text(encoding="utf-8") for name in ("README.md", "README.pt-BR.md"))

    assert table(promised) in english
    assert _rows(english) == _rows(portuguese.replace(".pt-BR.md)", ".md)")) != []


def _rows(text: str) -> list[str]:
    return re.findall(r"^\| \[.+$", text, re.MULTILINE)
