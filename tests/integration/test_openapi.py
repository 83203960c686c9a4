"""http/*.openapi.json is true: schemathesis asks both services for all that it describes, and for what it forbids."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.integration.service import NOWHERE, ROOT, Service, run_command

pytestmark = pytest.mark.slow

CONFIG = Path(__file__).with_name("schemathesis.toml")


@pytest.fixture(scope="module")
def wallet(wallet_url, tmp_path_factory):
    run_command("wallet", wallet_url, "seed")
    with _served("wallet", wallet_url, tmp_path_factory) as service:
        yield service


@pytest.fixture(scope="module")
def balances(balances_url, tmp_path_factory):
    run_command("balances", balances_url, "seed")
    with _served("balances", balances_url, tmp_path_factory) as service:
        yield service


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["wallet", "balances"])
def test_schemathesis_finds_nothing(name, request, tmp_path):
    service = request.getfixturevalue(name)

    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", CONFIG, "run", "--seed", "1", "--no-color"]
    run = subprocess.run(
        [*command, f"{service.url}/openapi.json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=290,
        check=False,
    )

    assert run.returncode == 0, run.stdout + run.stderr
    assert '"status":500' not in service.log.read_text()


@pytest.mark.parametrize("name", ["wallet", "balances"])
def test_the_description_is_served_unchanged(name, request):
    service = request.getfixturevalue(name)

    served = requests.get(f"{service.url}/openapi.json", timeout=5)

    assert served.headers["Content-Type"] == "application/json"
    assert served.json() == json.loads((ROOT / "http" / f"{name}.openapi.json").read_text("utf-8"))


def _served(name, database_url, tmp_path_factory):
    # Without a broker, nothing leaves the database of the test.
    environment = {"DATABASE_URL": database_url, "KAFKA_BOOTSTRAP_SERVERS": NOWHERE}
    return Service(["-m", name], tmp_path_factory.mktemp(name) / "log", **environment)
