"""The seeded accounts, which a project made of this one may not have."""

from pathlib import Path

import pytest

SEEDS = Path(__file__).resolve().parents[1] / "db" / "wallet" / "seeds"


def skip_without_seeds() -> None:
    if not SEEDS.is_dir():
        pytest.skip("this project has no seeds, and the test transfers from seeded accounts")
