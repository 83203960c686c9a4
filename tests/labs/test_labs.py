"""Each lab, both halves: the fault damages the naive services as promised, and not Wallet and Balances."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.documents import ROOT, read
from tests.labs.catalog import LABS
from tests.labs.naive_system import Damage
from tests.labs.runner import NAIVE, play
from tests.labs.system import System


@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", LABS)
def test_a_fault_damages_the_naive_read_model_and_not_balances(
    name: str, system: System, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lab = LABS[name]

    outcome = play(lab, system, folder)
    printed = capsys.readouterr().out
    with capsys.disabled():
        print(printed)

    assert outcome.naive == lab.damage != Damage()
    assert (outcome.project, outcome.verdict) == (Damage(), "consistent")
    for diagram in (folder / f"{lab.title}-naive.svg", folder / f"{lab.title}.svg"):
        assert ElementTree.parse(diagram).findall(".//{*}line[@class='arrow']")
    shown = next(each for each in read(ROOT / "docs" / "labs" / f"{lab.title}.md").blocks("text") if NAIVE in each)
    assert _wording(shown) == _wording(printed[printed.index(NAIVE) : printed.index("Diagrams: ")])


def _wording(output: str) -> list[str]:
    """The lines that are not empty; the numbers are those of one run."""
    return [re.sub(r"\d+", "N", line).lstrip() for line in output.splitlines() if line]
