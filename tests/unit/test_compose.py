"""What must be true of every container, whatever it runs."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILES = {
    path.name: yaml.load(path.read_text(encoding="utf-8"), yaml.BaseLoader) for path in ROOT.glob("docker-compose*.yml")
}
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]

of_each = pytest.mark.parametrize("name", SERVICES)


@of_each
def test_a_container_may_do_no_more_than_it_needs(name):
    service = SERVICES[name]

    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert service["mem_limit"]
    assert service["pids_limit"]
    assert not service.keys() & {"privileged", "network_mode"}


@of_each
def test_an_image_that_is_not_built_here_is_pinned(name):
    service = SERVICES[name]

    if "build" not in service and service["image"] != SERVICES["wallet"]["image"]:
        assert re.fullmatch(r"[a-z/]+:\d+\.\d+(\.\d+)?", service["image"])


def test_only_the_two_services_are_published():
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"wallet", "balances"}


def test_two_clones_share_neither_containers_nor_data():
    """Without a `name` compose takes the folder's, for containers, networks and volumes; images follow it."""
    assert [name for name, file in FILES.items() if "name" in file] == []
    assert [volume for file in FILES.values() for volume in file.get("volumes", {}).values() if volume] == []
    assert all("${COMPOSE_PROJECT_NAME}" in SERVICES[name]["image"] for name in ("wallet", "balances", "tests"))
