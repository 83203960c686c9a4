"""Sequences from the future are brought back to the clock: on a real MySQL, while transactions go on."""

import re
import time

import pytest

from common.events.sequences import ROWS_AT_ONCE, Future, Table, WrongClock, describe, reset_future
from common.mysql import CLOCK
from tests.integration.service import run_command
from tests.integration.tables import execute, rows, value

BALANCES = Table("balances", "account_id")
DAY = 86_400


@pytest.fixture
def known(balances_database):
    """Puts rows there: known(seconds ahead of the clock, ids)."""

    def put(seconds, *account_ids):
        with balances_database.transaction() as cursor:
            cursor.executemany(
                f"INSERT INTO balances VALUES (%s, 1, {CLOCK} + %s * 1000000, UTC_TIMESTAMP(6))",
                [(account_id, seconds) for account_id in account_ids],
            )

    return put


def in_the_future(database):
    return [key for (key,) in rows(database, f"SELECT account_id FROM balances WHERE sequence > {CLOCK} ORDER BY 1")]


def test_only_sequences_far_ahead_of_the_clock_are_reset_to_it(balances_database, known):
    known(3 * DAY, "a")
    known(60, "b")
    known(-DAY, "c")
    before = dict(rows(balances_database, "SELECT account_id, sequence FROM balances"))

    future = reset_future(balances_database, BALANCES)

    after = dict(rows(balances_database, "SELECT account_id, sequence FROM balances"))
    assert future == Future(1, pytest.approx(3 * DAY, abs=30))
    assert after["a"] <= value(balances_database, f"SELECT {CLOCK}") < before["a"]
    assert (after["b"], after["c"]) == (before["b"], before["c"])


def test_all_of_them_are_reset_however_many_there_are(balances_database, known):
    ids = [f"account {number:04}" for number in range(2 * ROWS_AT_ONCE + 1)]
    known(DAY, *ids)

    assert reset_future(balances_database, BALANCES).rows == len(ids)
    assert in_the_future(balances_database) == []
    assert reset_future(balances_database, BALANCES) == Future(0, 0)


def test_a_dry_run_counts_and_changes_nothing(balances_database, known):
    known(DAY, "a", "b")

    future = reset_future(balances_database, BALANCES, dry_run=True)

    assert future.rows == 2
    assert in_the_future(balances_database) == ["a", "b"]
    assert describe(future._replace(seconds=86_400), BALANCES, dry_run=True) == (
        "balances: 2 sequences ahead of the clock, by up to 86400 s: would be reset to the clock (dry run)"
    )


@pytest.mark.parametrize(("wrong_by", "error"), [(DAY, "86400 s behind this"), (-DAY, "86400 s ahead of this")])
def test_nothing_is_reset_to_a_clock_that_is_still_wrong(balances_database, known, wrong_by, error):
    known(3 * DAY, "a")

    with pytest.raises(WrongClock, match=f"{error} machine's clock.*correct the clocks first"):
        reset_future(balances_database, BALANCES, now=lambda: time.time() + wrong_by)

    assert in_the_future(balances_database) == ["a"]


@pytest.mark.parametrize(
    ("service", "insert", "name"),
    [
        ("wallet", "INSERT INTO accounts (id, client_id, sequence) VALUES ('a', 'ana', {})", "accounts"),
        ("balances", "INSERT INTO balances VALUES ('a', 1, {}, UTC_TIMESTAMP(6))", "balances"),
    ],
)
def test_each_service_has_the_command(request, service, insert, name):
    url, database = request.getfixturevalue(f"{service}_url"), request.getfixturevalue(f"{service}_database")
    if service == "wallet":
        execute(database, "INSERT INTO clients (id, name, email) VALUES ('ana', 'Ana', 'ana@example.com')")
    execute(database, insert.format(f"{CLOCK} + {DAY} * 1000000"))

    done = [run_command(service, url, "reset-sequences", *options) for options in (["--dry-run"], [], [])]

    assert [each.returncode for each in done] == [0, 0, 0]
    found = rf"{name}: 1 sequences ahead of the clock, by up to \d+ s: "
    assert re.fullmatch(rf"{found}would be reset to the clock \(dry run\)\n", done[0].stdout)
    assert re.fullmatch(rf"{found}reset to the clock\n", done[1].stdout)
    assert done[2].stdout == f"{name}: no sequence is more than 300 s ahead of the clock\n"


def test_without_mysql_the_command_ends_with_a_sentence():
    done = run_command("wallet", "mysql://wallet:wallet@127.0.0.1:1/wallet", "reset-sequences")

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("MySQL is unavailable: ")
    assert "Traceback" not in done.stderr
