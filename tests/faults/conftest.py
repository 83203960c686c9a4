"""The system of the named tests: taken over by each file, repaired before each test."""

import os
from collections.abc import Iterator

import pytest

from tests.faults import galera
from tests.faults import scene as scenes
from tests.faults.galera import Galera
from tests.faults.scene import Scene, Stage
from tests.faults.system import System


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("faults")
    group.addoption(
        "--runs",
        type=int,
        default=1,
        help="of test_galera.py: how often it transfers and checks, and how many of the three nodes it kills (1)",
    )
    group.addoption("--run-seconds", type=float, default=8, help="of test_galera.py: how long each run transfers (8)")


@pytest.fixture
def runs(pytestconfig: pytest.Config) -> int:
    return int(pytestconfig.getoption("runs"))


@pytest.fixture
def run_seconds(pytestconfig: pytest.Config) -> float:
    return float(pytestconfig.getoption("run_seconds"))


@pytest.fixture(scope="session", autouse=True)
def system_to_break() -> None:
    if "LOCAL_DIR" not in os.environ:
        pytest.skip("needs a system to break: ./local.sh faults --named")


@pytest.fixture(scope="module")
def cluster(system_to_break: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Galera]:
    """Three nodes of a MariaDB Galera cluster. Skips the test where they cannot be installed."""
    if reason := galera.missing():
        pytest.skip(reason)
    with galera.cluster(tmp_path_factory.mktemp("galera"), System().database_port + 4) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def stage(system_to_break: None) -> Iterator[Stage]:
    with scenes.stage() as stage:
        yield stage


@pytest.fixture
def scene(stage: Stage) -> Iterator[Scene]:
    """The system for one test; the promises are checked after the test, whatever it did."""
    scene = Scene(*stage)
    yield scene
    scene.finish()
