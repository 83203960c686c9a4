"""Each lab, both halves: the fault damages the naive services as promised, and not Wallet and Balances."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.labs.catalog import LABS
from tests.labs.naive_system import Damage
from tests.labs.runner import play
from tests.labs.system import System


@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", LABS)
def test_a_fault_damages_the_naive_read_model_and_not_balances(name: str, system: System, folder: Path) -> None:
    lab = LABS[name]

    outcome = play(lab, system, folder)

    assert outcome.naive == lab.damage != Damage()
    assert (outcome.project, outcome.verdict) == (Damage(), "consistent")
    for diagram in (folder / f"{lab.title}-naive.svg", folder / f"{lab.title}.svg"):
        assert ElementTree.parse(diagram).findall(".//{*}line[@class='arrow']")
