"""The fictitious data is the same in both databases. A project made of this one may have none."""

from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from common import migrate

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("wallet", "balances")

has_seeds = all((ROOT / "db" / service / "seeds").is_dir() for service in SERVICES)
of_the_seeds = pytest.mark.skipif(not has_seeds, reason="this project has no seeds")


def test_a_project_without_seeds_starts(tmp_path: Path) -> None:
    migrate.seed(tmp_path / "seeds")  # would wait for MySQL without limit, had it anything to insert


def seeds(service: str, table: str) -> list[list[str]]:
    """The rows that the seeds insert into the table, as lists of text."""
    (file,) = (ROOT / "db" / service / "seeds").glob(f"*_{table}.sql")
    up, _ = file.read_text(encoding="utf-8").split("-- migrate:down")
    rows = (line.strip(" (),").split(", ") for line in up.splitlines() if line.startswith("    ("))
    return [[field.strip("'") for field in row] for row in rows]


@of_the_seeds
def test_both_services_are_seeded_with_the_same_accounts_and_balances() -> None:
    accounts = {account_id: balance for account_id, _, balance, _ in seeds("wallet", "accounts")}
    balances = {account_id: balance for account_id, balance, _, _ in seeds("balances", "balances")}

    assert len(accounts) >= 10
    assert balances == accounts


@of_the_seeds
def test_any_event_is_newer_than_a_seeded_balance() -> None:
    sequences = {sequence for _, _, sequence, _ in seeds("balances", "balances")}

    assert sequences == {"0"}


@of_the_seeds
def test_every_seeded_client_has_an_account_and_every_account_a_client() -> None:
    clients = {client_id for client_id, *_ in seeds("wallet", "clients")}
    owners = {client_id for _, client_id, *_ in seeds("wallet", "accounts")}

    assert len(clients) == 10
    assert owners == clients


@of_the_seeds
def test_the_seeded_transactions_add_up_to_the_seeded_balances() -> None:
    expected = Counter({account_id: Decimal(1000) for account_id, *_ in seeds("wallet", "accounts")})
    for _, account_id_from, account_id_to, amount, _ in seeds("wallet", "transactions"):
        expected[account_id_from] -= Decimal(amount)
        expected[account_id_to] += Decimal(amount)

    balances = {account_id: Decimal(balance) for account_id, _, balance, _ in seeds("wallet", "accounts")}

    assert balances == dict(expected)
