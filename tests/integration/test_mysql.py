"""What MySQL does to a connection that is idle or killed."""

import time

import pytest

from common.mysql import IDLE_SECONDS, TRUST_SECONDS, WAIT_TIMEOUT_SECONDS, Database, DatabaseUnavailable
from tests.integration.tables import execute, value


def test_the_rows_of_a_transaction_that_hangs_are_free_again(balances_database, balances_url):
    other = Database(balances_url)
    execute(other, "INSERT INTO balances (account_id, balance) VALUES ('ana', 1)")

    def hang_in_a_transaction():
        with balances_database.transaction() as cursor:
            cursor.execute("UPDATE balances SET balance = 2")
            time.sleep(WAIT_TIMEOUT_SECONDS - 3)  # the rest is less than another waits for a lock
            execute(other, "UPDATE balances SET balance = balance + 10")

    with pytest.raises(DatabaseUnavailable):
        hang_in_a_transaction()

    assert value(other, "SELECT balance FROM balances") == 11


@pytest.mark.parametrize(
    "seconds", [WAIT_TIMEOUT_SECONDS + 1, (IDLE_SECONDS + WAIT_TIMEOUT_SECONDS) / 2], ids=["has ended", "soon ends"]
)
def test_a_connection_that_mysql_has_ended_or_soon_ends_is_replaced_at_its_next_use(balances_database, seconds):
    before = value(balances_database, "SELECT CONNECTION_ID()")

    time.sleep(seconds)

    assert value(balances_database, "SELECT CONNECTION_ID()") != before


def test_a_connection_that_was_killed_is_replaced_at_its_next_use(balances_database, balances_url):
    killed = value(balances_database, "SELECT CONNECTION_ID()")
    execute(Database(balances_url), f"KILL {killed}")

    time.sleep(TRUST_SECONDS)

    assert value(balances_database, "SELECT CONNECTION_ID()") != killed


def test_a_connection_in_use_is_kept(balances_database):
    before = value(balances_database, "SELECT CONNECTION_ID()")

    for _ in range(3):
        time.sleep(IDLE_SECONDS / 2)
        assert value(balances_database, "SELECT CONNECTION_ID()") == before


def test_an_outage_is_logged_once_for_reading_and_once_for_writing(caplog):
    nobody = Database("mysql://nobody:nobody@127.0.0.1:1/nothing")

    for _ in range(3):
        with pytest.raises(DatabaseUnavailable):
            value(nobody, "SELECT 1")
        with pytest.raises(DatabaseUnavailable):
            execute(nobody, "SELECT 1")
        with pytest.raises(DatabaseUnavailable):
            nobody.connect()  # whose caller reports it

    lines = [record for record in caplog.records if record.getMessage() == "MySQL is unavailable"]
    assert [vars(line)["for"] for line in lines] == ["reading", "writing"]
