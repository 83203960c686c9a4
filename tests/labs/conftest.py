"""One system for all labs: each lab leaves it consistent."""

import os
from pathlib import Path

import pytest

from tests.labs.system import System


@pytest.fixture(scope="session")
def system() -> System:
    if "LOCAL_DIR" not in os.environ:
        pytest.skip("needs a system to break: ./local.sh lab --test")
    return System()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the diagrams of a lab go."""
    return tmp_path
