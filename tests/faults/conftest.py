"""The system of the named tests: one for all of them, whole again before each."""

import os

import pytest

from tests.faults import scene as scenes


@pytest.fixture(scope="session")
def stage():
    if "LOCAL_DIR" not in os.environ:
        pytest.skip("needs a system to break: ./local.sh faults --named")
    with scenes.stage() as stage:
        yield stage


@pytest.fixture
def scene(stage):
    """Whatever the test did, the promises are checked after it."""
    scene = scenes.Scene(*stage)
    yield scene
    scene.finish()
