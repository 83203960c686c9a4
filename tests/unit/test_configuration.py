"""docs/configuration.md has every variable that the code reads, and what compose does with it."""

import re
from collections.abc import Iterator

import pytest
import yaml

from tests.documents import ROOT, read

DOCUMENT = read(ROOT / "docs" / "configuration.md")
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
READ_BY_PYTHON = re.compile(
    r"environment\.(?:text|integer|choice|url|ca_file)\(\s*\"([A-Z_]+)\"|access\.token\(\"([A-Z_]+)\""
)
READ_BY_SHELL = re.compile(r"\$\{!?([A-Z][A-Z_]*[A-Z])(?::?[-=])")
# Set by the scripts for their own use, or for the tests' proxies.
INTERNAL = {
    "BALANCES_BOOTSTRAP_SERVERS", "BALANCES_DATABASE_URL", "WALLET_BOOTSTRAP_SERVERS", "WALLET_DATABASE_URL",
    "KAFKA_ADVERTISED_PORT", "BASH_SOURCE", "COMPOSE_PROJECT_NAME",
}  # fmt: skip


def test_every_variable_that_the_code_reads_is_documented() -> None:
    read_by_code = set(_read_by_python()) | set(_read_by_shell()) - INTERNAL

    assert len(read_by_code) > 30
    assert read_by_code - set(re.findall(r"`([A-Z][A-Z_]+)`", DOCUMENT.prose())) == set()


@pytest.mark.parametrize(
    ("variable", "_default", "passed"),
    re.findall(r"^\| `([A-Z_]+)` \| ([^|]+) \| (yes|fixed|no) \|", DOCUMENT.text, re.MULTILINE),
)
def test_the_document_knows_what_compose_passes_on(variable: str, _default: str, passed: str) -> None:
    service = "balances" if variable.startswith(("BALANCES_", "KAFKA_GROUP", "KAFKA_INSTANCE")) else "wallet"
    value = SERVICES[service]["environment"].get(variable)
    expected = "no" if value is None else "yes" if f"${{{variable}" in str(value) else "fixed"

    assert passed == expected


def test_the_table_of_the_services_is_complete() -> None:
    rows = set(re.findall(r"^\| `([A-Z_]+)` \| [^|]+ \| (?:yes|fixed|no) \|", DOCUMENT.text, re.MULTILINE))

    assert rows == set(_read_by_python()) | {"SEED_DEMO_DATA"}


def test_only_two_variables_are_required() -> None:
    required = re.findall(r"^\| `([A-Z_]+)` \| required \|", DOCUMENT.text, re.MULTILINE)

    assert required == ["DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS"]


def _read_by_python() -> Iterator[str]:
    for folder in ("wallet", "balances", "common"):
        for path in (ROOT / folder).rglob("*.py"):
            for names in READ_BY_PYTHON.findall(path.read_text(encoding="utf-8")):
                yield from filter(None, names)


def _read_by_shell() -> Iterator[str]:
    for path in [*ROOT.glob("*.sh"), *ROOT.glob("docker-compose*.yml"), *(ROOT / "docker").glob("*.sh")]:
        yield from READ_BY_SHELL.findall(path.read_text(encoding="utf-8"))
