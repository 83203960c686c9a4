"""What must be true of the files themselves."""

import http.client
import re
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MIGRATIONS = sorted((ROOT / "db").glob("*/migrations/*.sql"))
DATA_DEFINITION = re.compile(r"^(?:    ')?(CREATE|ALTER|DROP|RENAME|TRUNCATE)\b", re.MULTILINE)


def test_the_folder_of_requests_does_not_hide_pythons_own_http():
    assert not (ROOT / "http" / "__init__.py").exists()
    assert not Path(http.client.__file__).is_relative_to(ROOT / "http")


@pytest.mark.parametrize("path", MIGRATIONS, ids=lambda path: f"{path.parts[-3]} {path.stem}")
def test_a_migration_changes_one_thing_and_may_be_cut_off_and_run_again(path):
    up, down = path.read_text(encoding="utf-8").split("-- migrate:down")

    # MySQL commits at each DDL: of two in one file, a SIGKILL between them would leave half a migration.
    assert len(DATA_DEFINITION.findall(up)) <= 1
    assert not re.search(r"CREATE TABLE (?!IF NOT EXISTS)", up)
    assert not re.search(r"DROP TABLE (?!IF EXISTS)", down)
    assert DATA_DEFINITION.search(down)
    # MySQL knows no ADD COLUMN IF NOT EXISTS: an ALTER is prepared, and only where a column or key is not as required.
    for part in (up, down):
        assert "ALTER TABLE" not in part or re.search(r"information_schema\.(columns|statistics)", part)


def seeds(service, table):
    """The rows that the seeds insert into the table, as lists of text."""
    (file,) = (ROOT / "db" / service / "seeds").glob(f"*_{table}.sql")
    up, _ = file.read_text(encoding="utf-8").split("-- migrate:down")
    rows = (line.strip(" (),").split(", ") for line in up.splitlines() if line.startswith("    ("))
    return [[field.strip("'") for field in row] for row in rows]


def test_both_services_are_seeded_with_the_same_accounts_and_balances():
    accounts = {account_id: balance for account_id, _, balance, _ in seeds("wallet", "accounts")}
    balances = {account_id: balance for account_id, balance, _, _ in seeds("balances", "balances")}

    assert len(accounts) >= 10
    assert balances == accounts


def test_any_event_is_newer_than_a_seeded_balance():
    sequences = {sequence for _, _, sequence, _ in seeds("balances", "balances")}

    assert sequences == {"0"}


def test_every_seeded_client_has_an_account_and_every_account_a_client():
    clients = {client_id for client_id, *_ in seeds("wallet", "clients")}
    owners = {client_id for _, client_id, *_ in seeds("wallet", "accounts")}

    assert len(clients) == 10
    assert owners == clients


def test_the_seeded_transactions_add_up_to_the_seeded_balances():
    expected = Counter({account_id: Decimal(1000) for account_id, *_ in seeds("wallet", "accounts")})
    for _, account_id_from, account_id_to, amount, _ in seeds("wallet", "transactions"):
        expected[account_id_from] -= Decimal(amount)
        expected[account_id_to] += Decimal(amount)

    balances = {account_id: Decimal(balance) for account_id, _, balance, _ in seeds("wallet", "accounts")}

    assert balances == dict(expected)
