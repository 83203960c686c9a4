"""An announcement that meets an account which another transaction keeps locked."""

from contextlib import closing

from tests.integration.service import run_command
from tests.integration.tables import execute, value


def test_an_announcement_in_conflict_ends_with_the_command_that_continues_it(wallet_url, wallet_database):
    execute(wallet_database, "INSERT INTO clients (id, name, email) VALUES ('c', 'Carla', 'c@example.com')")
    execute(wallet_database, "INSERT INTO accounts (id, client_id, balance) VALUES ('a', 'c', 1), ('b', 'c', 2)")

    with closing(wallet_database.connect()) as connection, connection.cursor() as cursor:
        connection.begin()
        cursor.execute("SELECT 1 FROM accounts WHERE id = 'b' FOR UPDATE")
        stopped = run_command("wallet", wallet_url, "announce")
    announced = value(wallet_database, "SELECT COUNT(*) FROM outbox")
    continued = run_command("wallet", wallet_url, "announce")

    assert (stopped.returncode, announced) == (1, 0)
    assert "0 accounts announced" in stopped.stdout
    assert "stopped: " in stopped.stdout
    assert "continue with: entrypoint.sh wallet announce\n" in stopped.stdout
    assert "Traceback" not in stopped.stdout + stopped.stderr
    assert continued.returncode == 0
    assert value(wallet_database, "SELECT COUNT(*) FROM outbox") == 2
