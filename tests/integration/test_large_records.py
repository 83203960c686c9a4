"""Records larger than a packet of the server, and more parked records in one batch than fit into one packet."""

import hashlib

import pytest

from common.events import dead_letters
from common.events.dead_letters import Parked
from common.mysql import Database
from tests.database_server import database_server
from tests.events import balance_announced
from tests.integration import tables
from tests.integration.consumers import consume, consumer_of
from tests.integration.service import run_command
from tests.integration.tables import rows, value
from tests.stand_ins import record

pytestmark = pytest.mark.slow

MEBIBYTE = 1024 * 1024
LARGE = b"\xff" * 700_000


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """The database of Balances on a server that takes packets of 1 MiB."""
    with database_server(tmp_path_factory.mktemp("mysql"), [f"--max-allowed-packet={MEBIBYTE}"]) as server:
        url = server.url("tests", "balances_test")
        assert run_command("balances", url, "migrate").returncode == 0
        yield url


@pytest.fixture
def database(url):
    return tables.emptied(Database(url), tables.BALANCES)


def test_a_record_larger_than_a_packet_is_parked_incomplete_and_the_record_after_it_counts(
    kafka, send, topic, url, database
):
    send(topic, LARGE, key=b"a", headers=[("sequence", b"7")])
    send(topic, balance_announced("a", 5))

    with consumer_of(kafka, database, topic) as worker:
        consume(worker, 2)

    assert value(database, "SELECT @@max_allowed_packet") == MEBIBYTE
    assert rows(database, "SELECT account_id, balance FROM balances") == (("a", 5),)
    (parked,) = database.read(dead_letters.list_after, 0, 10)
    assert (parked.place, parked.value_bytes) == (f"{topic}[0]@0", 700_000)
    assert parked.value_sha256 == hashlib.sha256(LARGE).hexdigest()
    assert parked.value == LARGE[: dead_letters.CUT_BYTES // 2]
    assert (parked.key, parked.headers) == (b"a", [("sequence", b"7")])


def test_an_incomplete_record_is_never_reprocessed_and_names_the_place_of_the_complete_one(url, database):
    with database.transaction() as cursor:
        dead_letters.park(cursor, [Parked(record(value=LARGE, topic="balances", offset=3), "a-topic-id", "too large")])

    listed = run_command("balances", url, "dead-letters", "list")
    number = listed.stdout.split()[0]
    shown = run_command("balances", url, "dead-letters", "show", number)
    retried = run_command("balances", url, "dead-letters", "retry", number, "--force")

    assert "[no sequence] [incomplete]  too large" in listed.stdout
    assert "size:      700000 bytes of value; only the first are stored, all are in Kafka" in shown.stdout
    assert f"sha256:    {hashlib.sha256(LARGE).hexdigest()} of the complete value" in shown.stdout
    assert retried.returncode == 1
    assert retried.stdout == (
        f"{number}: not applied: the record was too large to be stored completely (its value has 700000 bytes);"
        " read balances[0]@3 from Kafka\n"
    )


@pytest.mark.parametrize("number", [700_000, 600_000, 516_001, 516_000, 100_000])
@pytest.mark.parametrize("field", ["key", "value", "headers"])
def test_no_field_of_a_record_makes_a_statement_that_the_server_refuses(database, field, number):
    for byte in (b"\xff", b"'", b"\\", b"\x00"):
        content = byte * number
        large = record(offset=ord(byte), **{field: [("h", content)] if field == "headers" else content})

        with database.transaction() as cursor:
            dead_letters.park(cursor, [Parked(large, "a-topic-id", "'" * 2_000)])

    assert value(database, "SELECT COUNT(*) FROM dead_letters") == 4


def test_five_thousand_parked_records_of_100_kb_are_stored_in_one_transaction(database):
    content = b"\xff" * 100_000
    batch = [Parked(record(value=content, offset=offset), "a-topic-id", "unreadable") for offset in range(5_000)]

    with database.transaction() as cursor:
        dead_letters.park(cursor, batch)

    stored = rows(database, "SELECT COUNT(*), MIN(LENGTH(record_value)), COUNT(value_bytes) FROM dead_letters")
    assert stored == ((5_000, 100_000, 0),)
