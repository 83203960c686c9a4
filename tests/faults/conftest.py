"""The system of the named tests: taken over anew by each file, whole again before each test."""

import os

import pytest

from tests.faults import scene as scenes


@pytest.fixture(scope="module")
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
