"""Dead letters: listed, reprocessed by the consumer's own parser and sequence check, discarded, deleted."""

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from uuid import uuid4

import pytest

from common.events import consumer, dead_letters
from common.events.consumer import Group
from common.events.dead_letters import Parked
from common.mysql.session import LOCK_WAIT_SECONDS
from common.worker_status import WorkerStatus
from tests.events import balance_announced
from tests.eventually import eventually
from tests.integration.consumers import balances_of
from tests.integration.service import run_command
from tests.integration.tables import execute, rows, value
from tests.stand_ins import record

ANNOUNCED = balance_announced("a")
UPDATED = (
    b'{"Name":"BalanceUpdated","Payload":{"account_id_from":"a","account_id_to":"b",'
    b'"balance_account_id_from":900,"balance_account_id_to":1100}}'
)


@pytest.fixture
def park(balances_database):
    """Parks a value with its headers; returns the id of the dead letter."""

    def park(message, key=b"a", error="unreadable", **headers):
        offset = value(balances_database, "SELECT COUNT(*) FROM dead_letters")
        headers = [(name, text and text.encode("ascii")) for name, text in headers.items()]
        parked = record(offset=offset, key=key, value=message, headers=headers, timestamp=1_790_000_000_000)
        with balances_database.transaction() as cursor:
            dead_letters.park(cursor, [Parked(parked, "a-topic-id", error)])
        return str(value(balances_database, "SELECT MAX(id) FROM dead_letters"))

    return park


@pytest.fixture
def command(balances_url):
    """Runs `entrypoint.sh balances dead-letters …`."""
    return lambda *arguments: run_command("balances", balances_url, "dead-letters", *arguments)


def know(database, account_id, balance, sequence):
    execute(
        database,
        "INSERT INTO balances (account_id, balance, sequence) VALUES (%s, %s, %s)",
        account_id,
        balance,
        sequence,
    )


def known(database):
    return {
        account_id: float(balance) for account_id, balance in rows(database, "SELECT account_id, balance FROM balances")
    }


def states(database):
    return [state for (state,) in rows(database, "SELECT state FROM dead_letters ORDER BY id")]


def test_a_dead_letter_retried_is_applied_and_what_changed_is_printed(balances_database, park, command):
    know(balances_database, "a", 1000, sequence=6)
    dead_letter = park(UPDATED, sequence="7")

    done = command("retry", dead_letter)

    assert done.stdout.splitlines() == [f"{dead_letter}: a: 1000 -> 900", f"{dead_letter}: b: unknown -> 1100"]
    assert done.returncode == 0
    assert known(balances_database) == {"a": 900, "b": 1100}
    assert states(balances_database) == ["reprocessed"]


def test_a_dead_letter_that_is_older_than_what_is_known_changes_nothing(balances_database, park, command):
    know(balances_database, "a", 1000, sequence=8)
    dead_letter = park(ANNOUNCED, sequence="7")

    done = command("retry", dead_letter)

    assert done.stdout.splitlines() == [f"{dead_letter}: a: stale, nothing changed"]
    assert known(balances_database) == {"a": 1000}
    assert states(balances_database) == ["reprocessed"]


def test_a_dry_run_prints_the_changes_and_makes_none(balances_database, park, command):
    know(balances_database, "a", 1000, sequence=6)
    dead_letter = park(ANNOUNCED, sequence="7")

    done = command("retry", "--all", "--dry-run")

    assert done.stdout.splitlines() == [f"{dead_letter}: a: 1000 -> 900 (not applied: dry run)"]
    assert known(balances_database) == {"a": 1000}
    assert states(balances_database) == ["parked"]


def test_a_dead_letter_without_sequence_is_applied_only_by_force(balances_database, park, command):
    know(balances_database, "a", 1000, sequence=6)
    dead_letter = park(ANNOUNCED)

    listed, refused = command("list"), command("retry", dead_letter)
    untouched = known(balances_database)
    forced = command("retry", dead_letter, "--force")

    assert "[no sequence]" in listed.stdout
    assert refused.returncode == 1
    assert "the record has no sequence" in refused.stdout
    assert untouched == {"a": 1000}
    assert forced.stdout.splitlines() == [f"{dead_letter}: a: 1000 -> 900"]
    assert rows(balances_database, "SELECT balance, sequence FROM balances") == ((900, 6),)


def test_a_header_sequence_without_a_value_is_no_sequence(balances_database, park, command):
    know(balances_database, "a", 1000, sequence=6)
    dead_letter = park(ANNOUNCED, sequence=None)

    refused = command("retry", dead_letter)

    assert refused.returncode == 1
    assert "the record has no sequence" in refused.stdout
    assert known(balances_database) == {"a": 1000}


@pytest.mark.parametrize(
    ("message", "headers"), [(b" " * 2_000_000 + ANNOUNCED, {}), (ANNOUNCED, {"x": "y" * 2_000_000})]
)
def test_a_record_that_is_not_stored_completely_is_not_reprocessed(balances_database, park, command, message, headers):
    dead_letter = park(message, sequence="7", **headers)

    refused, shown = command("retry", dead_letter, "--force"), command("show", dead_letter)

    assert refused.returncode == 1
    assert f"too large to be stored completely (its value has {len(message)} bytes)" in refused.stdout
    assert f"sha256:    {hashlib.sha256(message).hexdigest()} of the complete value" in shown.stdout
    assert states(balances_database) == ["parked"]


def test_unreadable_records_stay_parked_and_the_others_are_reprocessed(balances_database, park, command):
    garbage, good, ahead = park(b"garbage"), park(ANNOUNCED, sequence="7"), park(ANNOUNCED, sequence="9" * 19)

    done = command("retry", "--all")

    assert done.returncode == 1
    first, second, third = done.stdout.splitlines()
    assert first.startswith(f"{garbage}: not applied: not an event of a known kind")
    assert second == f"{good}: a: unknown -> 900"
    assert third == f"{ahead}: not applied: the sequence is more than a day ahead of the database's clock"
    assert states(balances_database) == ["parked", "reprocessed", "parked"]


def test_a_discarded_dead_letter_can_still_be_retried_but_not_a_reprocessed_one(balances_database, park, command):
    dead_letter = park(ANNOUNCED, sequence="7")

    discarded, left = command("discard", dead_letter), command("retry", "--all")
    retried, again, too_late = (
        command("retry", dead_letter),
        command("retry", dead_letter),
        command("discard", dead_letter),
    )

    assert (discarded.stdout, left.stdout, left.stderr) == (
        f"{dead_letter}: discarded\n",
        "",
        "no records are parked\n",
    )
    assert retried.stdout == f"{dead_letter}: a: unknown -> 900\n"
    assert f"dead letter {dead_letter} was reprocessed already" in again.stdout
    assert f"dead letter {dead_letter} was reprocessed already" in too_late.stdout
    assert [each.returncode for each in (discarded, left, retried, again, too_late)] == [0, 0, 0, 1, 1]


def test_a_dead_letter_that_another_transaction_locks_for_longer_than_a_lock_wait_is_discarded_afterwards(
    balances_database, park, command
):
    dead_letter = park(ANNOUNCED, sequence="7")

    def waits():
        statements = rows(balances_database, "SHOW FULL PROCESSLIST")
        return [row for row in statements if "FOR UPDATE" in str(row[7]) and row[4] == "Query"]

    with closing(balances_database.connect()) as connection, ThreadPoolExecutor() as pool:
        with connection.cursor() as cursor:
            connection.begin()
            cursor.execute("SELECT 1 FROM dead_letters WHERE id = %s FOR UPDATE", (dead_letter,))
            discarding = pool.submit(command, "discard", dead_letter)
            eventually(waits, seconds=20)
            with pytest.raises(TimeoutError):  # the server has refused its first transaction by then
                discarding.result(timeout=LOCK_WAIT_SECONDS + 1)
            connection.rollback()
        discarded = discarding.result()

    assert (discarded.returncode, discarded.stdout, discarded.stderr) == (0, f"{dead_letter}: discarded\n", "")
    assert states(balances_database) == ["discarded"]


def test_all_of_a_dead_letter_is_shown_without_control_characters(balances_url, park, command):
    dead_letter = park(b"\x1b[2J\xff\nred", key=None, error="two\nlines", request_id="r-1")

    shown, unknown = command("show", dead_letter), command("show", "999999999")

    lines = shown.stdout.splitlines()
    assert lines[0] == f"id:        {dead_letter}, parked"
    assert lines[1].startswith("record:    balances[0]@0, timestamp 1790000000000, parked at 2")
    assert lines[2:] == [
        r"error:     two\nlines",
        "sequence:  none: only --force applies the record",
        "key:       null",
        "header request_id: r-1",
        r"value:     \x1b[2J\xff\nred",
    ]
    assert (unknown.returncode, unknown.stderr) == (1, "there is no dead letter 999999999\n")


def test_more_dead_letters_than_are_read_at_once_are_listed_oldest_first(park, command):
    ids = [park(b"garbage") for _ in range(45)]

    listed = command("list")

    assert [line.split()[0] for line in listed.stdout.splitlines()] == ids


def test_what_was_decided_thirty_days_ago_is_deleted_in_steps(balances_database, park):
    for state, days in (("delivered", 31), ("discarded", 31), ("delivered", 29), ("parked", 31)):
        for _ in range(75):
            park(b"garbage")
        execute(
            balances_database,
            "UPDATE dead_letters SET state = %s, settled_at = UTC_TIMESTAMP(6) - INTERVAL %s DAY"
            " ORDER BY id DESC LIMIT 75",
            state,
            days,
        )

    left = []
    for _ in range(3):
        with balances_database.transaction() as cursor:
            dead_letters.forget_decided(cursor)
        left.append(len(states(balances_database)))

    assert left == [200, 150, 150]
    assert set(states(balances_database)) == {"delivered", "parked"}


def test_the_consumer_deletes_them(balances_database, kafka, topic, park):
    park(b"garbage")
    execute(balances_database, "UPDATE dead_letters SET state = 'discarded', settled_at = '2026-01-01'")
    stop = threading.Event()
    following = threading.Thread(
        target=consumer.run,
        args=(
            stop,
            balances_database,
            kafka,
            balances_of(balances_database, [topic]),
            Group(f"test-{uuid4()}", str(uuid4())),
            WorkerStatus(),
        ),
    )

    following.start()
    try:
        eventually(lambda: states(balances_database) == [], seconds=20)
    finally:
        stop.set()
        following.join(timeout=20)


def test_an_empty_list_is_reported_on_stderr_and_leaves_stdout_empty(balances_database, command):
    listed = command("list")

    assert (listed.returncode, listed.stdout, listed.stderr) == (0, "", "no records are parked\n")


def test_the_state_delivered_of_the_previous_version_is_read_as_reprocessed(balances_database, park, command):
    dead_letter = park(ANNOUNCED, sequence="7")
    execute(balances_database, "UPDATE dead_letters SET state = 'delivered', settled_at = UTC_TIMESTAMP(6)")

    shown, again = command("show", dead_letter), command("retry", dead_letter)

    assert shown.stdout.startswith(f"id:        {dead_letter}, reprocessed at 2")
    assert (again.returncode, f"dead letter {dead_letter} was reprocessed already" in again.stdout) == (1, True)
