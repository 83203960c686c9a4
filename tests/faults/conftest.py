"""The system of the named tests: taken over anew by each file, whole again before each test."""

import os

import pytest

from tests.faults import scene as scenes


@pytest.fixture(scope="session", autouse=True)
def system_to_break():
    if "LOCAL_DIR" not in os.environ:
        pytest.skip("needs a system to break: ./local.sh faults --named")


@pytest.fixture(scope="module")
def stage(system_to_break):
    with scenes.stage() as stage:
        yield stage


@pytest.fixture
def scene(stage):
    """Whatever the test did, the promises are checked after it."""
    scene = scenes.Scene(*stage)
    yield scene
    scene.finish()
