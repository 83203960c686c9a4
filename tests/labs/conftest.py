"""One system for all labs: each lab leaves it consistent, and one that fails leaves no process down."""

import os
from pathlib import Path

import pytest

from tests.labs.system import System


@pytest.fixture
def system() -> System:
    if "LOCAL_DIR" not in os.environ:
        pytest.skip("needs a system to break: ./local.sh lab --test")
    system = System()
    system.heal()
    return system


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the diagrams of a lab go."""
    return tmp_path
