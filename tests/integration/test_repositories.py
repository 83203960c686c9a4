"""The wallet's SQL on a real server: what it locks, what it finds, and by which index."""

import threading
from contextlib import closing, suppress
from decimal import Decimal

import pymysql
import pytest

from common.events.idempotency import IdempotencyKeys, Key, KeyReused, Response, StillInProgress
from common.events.outbox import Event, Outbox
from common.mysql import CLOCK, Conflict, Database
from common.mysql.errors import CHECK_VIOLATED
from common.mysql.session import LOCK_WAIT_SECONDS
from tests.eventually import eventually
from tests.integration.explained import Explained
from tests.integration.tables import NOW, execute, rows, value
from wallet.domain import Account, AccountNotFound, Client, ClientNotFound, TransactionNotFound
from wallet.repositories import AccountRepository, ClientRepository, TransactionRepository

HASH, OTHER_HASH = b"1" * 32, b"2" * 32


# ---- ids


def test_what_was_added_is_found_as_it_was(bank):
    with bank.transaction() as cursor:
        client, account = ClientRepository(cursor).find("ana"), AccountRepository(cursor).find("a")

    assert client == Client("ana", "Ana Souza", "ana@example.com", NOW)
    assert account == Account("a", "ana", Decimal("100.00"), NOW)


@pytest.mark.parametrize("near", ["a ", " a", "A", "á"])
def test_an_id_that_is_nearly_right_is_not_found(bank, near):
    with bank.transaction() as cursor:
        with pytest.raises(AccountNotFound):
            AccountRepository(cursor).find(near)
        with pytest.raises(AccountNotFound):
            AccountRepository(cursor).find_with_client(near)
        with pytest.raises(AccountNotFound):
            AccountRepository(cursor).lock("b", near)
        with pytest.raises(ClientNotFound):
            ClientRepository(cursor).find("ana" + near[1:] if near.endswith(" ") else near)
        with pytest.raises(TransactionNotFound):
            TransactionRepository(cursor).find(near)


def test_accounts_are_paged_in_the_order_of_their_ids(bank):
    with bank.transaction() as cursor:
        first, rest = AccountRepository(cursor).list_after("", 2), AccountRepository(cursor).list_after("b", 2)

    assert ([account.id for account in first], [account.id for account in rest]) == (["a", "b"], ["c"])


def test_accounts_are_read_with_the_names_of_their_clients_and_by_their_keys_alone(bank):
    with bank.transaction() as cursor:
        found = AccountRepository(cursor).list_after_with_clients("a", 2)
        account, name = AccountRepository(cursor).find_with_client("a")
        explained = Explained(cursor)
        AccountRepository(explained).list_after_with_clients("a", 2)

    assert [(account.id, name) for account, name in found] == [("b", "Ana Souza"), ("c", "Ana Souza")]
    assert (account, name) == (Account("a", "ana", Decimal("100.00"), NOW), "Ana Souza")
    assert explained.indexes == {"PRIMARY"}  # no table is read completely and sorted


# ---- locks


def test_locked_accounts_come_in_the_order_they_were_asked_for(bank):
    with bank.transaction() as cursor:
        accounts, _ = AccountRepository(cursor).lock("b", "a")

    assert [account.id for account in accounts] == ["b", "a"]


def test_rows_are_locked_in_the_order_of_their_ids_however_they_are_asked_for(bank, wallet_url):
    def lock_opposite():
        with Database(wallet_url).transaction() as cursor:
            AccountRepository(cursor).lock("c", "a")

    def waits(cursor):
        cursor.execute("SHOW FULL PROCESSLIST")
        return any("FOR UPDATE" in (row[7] or "") for row in cursor.fetchall())

    with bank.transaction() as cursor:
        AccountRepository(cursor).lock("a")
        other = threading.Thread(target=lock_opposite)
        other.start()
        eventually(lambda: waits(cursor))

        cursor.execute("SELECT id FROM accounts WHERE id = 'c' FOR UPDATE NOWAIT")  # the other does not hold it yet

        assert cursor.fetchone() == ("c",)
    other.join(5)


def test_a_transfer_does_not_wait_for_a_stranger(bank, wallet_url):
    with bank.transaction() as cursor:
        AccountRepository(cursor).lock("a", "b")
        with Database(wallet_url).transaction() as other:
            other.execute("SET SESSION innodb_lock_wait_timeout = 1")
            (stranger,), _ = AccountRepository(other).lock("c")

    assert stranger.id == "c"


def test_a_lock_that_is_not_given_up_is_a_conflict(bank, wallet_url):
    impatient = Database(wallet_url)

    def lock_a():
        with impatient.transaction() as cursor:
            cursor.execute("SET SESSION innodb_lock_wait_timeout = 1")
            AccountRepository(cursor).lock("a")

    with bank.transaction() as cursor:
        AccountRepository(cursor).lock("a")

        with pytest.raises(Conflict):
            lock_a()


def lock(cursor):
    with pytest.raises(AccountNotFound):  # an explanation holds no row
        AccountRepository(cursor).lock("a", "b")


def save_balances(cursor):
    AccountRepository(cursor).save_balances(*(Account(account_id, "ana", Decimal(1), NOW) for account_id in "ab"))


def oldest(cursor):
    Outbox(cursor).oldest(2000)


def append(cursor, *payloads):
    """Put events into the outbox; return their ids. Those of a cluster are not consecutive."""
    Outbox(cursor).add([Event("any", "a", payload, 7) for payload in payloads], "request 7")
    cursor.execute("SELECT id FROM outbox ORDER BY id DESC LIMIT %s", (len(payloads),))
    return sorted(event_id for (event_id,) in cursor.fetchall())


@pytest.mark.parametrize("statement", [lock, save_balances, oldest])
def test_a_small_table_too_is_read_by_its_key_and_waits_for_no_other_row(bank, statement):
    with bank.transaction() as cursor:
        append(cursor, "{}", "{}", "{}")
        explained = Explained(cursor)

        statement(explained)

    assert explained.indexes == {"PRIMARY"}


def test_removing_what_was_acknowledged_does_not_wait_for_a_row_that_is_not_yet_committed(bank):
    with bank.transaction() as cursor:
        acknowledged = append(cursor, "{}", "{}", "{}")

    with closing(bank.connect()) as other, other.cursor() as open_cursor, bank.transaction() as cursor:
        other.begin()
        append(open_cursor, "{}")
        cursor.execute("SET SESSION innodb_lock_wait_timeout = 1")
        Outbox(cursor).remove(acknowledged)
        cursor.execute(f"SET SESSION innodb_lock_wait_timeout = {LOCK_WAIT_SECONDS}")

    assert rows(bank, "SELECT id FROM outbox") == ()


# ---- what the tables themselves hold


def test_mysql_itself_keeps_a_balance_from_going_below_zero(bank):
    with pytest.raises(pymysql.OperationalError) as refusal:
        execute(bank, "UPDATE accounts SET balance = -0.01 WHERE id = 'a'")

    assert refusal.value.args[0] in CHECK_VIOLATED
    assert value(bank, "SELECT balance FROM accounts WHERE id = 'a'") == 100


def test_an_account_has_a_client_and_a_transaction_has_accounts(bank):
    with pytest.raises(pymysql.IntegrityError):
        execute(bank, "INSERT INTO accounts (id, client_id) VALUES ('d', 'nobody')")
    with pytest.raises(pymysql.IntegrityError):
        execute(bank, "INSERT INTO transactions (id, account_id_from, account_id_to, amount) VALUES ('t', 'a', 'x', 1)")


def test_the_largest_balance_fits(bank):
    execute(bank, "UPDATE accounts SET balance = %s WHERE id = 'a'", Decimal("9999999999999.99"))

    assert value(bank, "SELECT balance FROM accounts WHERE id = 'a'") == Decimal("9999999999999.99")


# ---- the sequence


def test_a_lock_gives_the_sequence_of_each_account_and_the_clock_of_the_database(bank):
    execute(bank, "UPDATE accounts SET sequence = 41 WHERE id = 'b'")
    before = value(bank, f"SELECT {CLOCK}")

    with bank.transaction() as cursor:
        accounts, clock = AccountRepository(cursor).lock("a", "b")

    assert [account.sequence for account in accounts] == [0, 41]
    assert before <= clock <= value(bank, f"SELECT {CLOCK}")


def test_both_accounts_of_a_transfer_get_its_sequence(bank):
    with bank.transaction() as cursor:
        AccountRepository(cursor).save_balances(
            Account("a", "ana", Decimal(1), NOW, 42), Account("b", "ana", Decimal(2), NOW, 42)
        )

    assert rows(bank, "SELECT id, balance, sequence FROM accounts ORDER BY id") == (
        ("a", Decimal(1), 42),
        ("b", Decimal(2), 42),
        ("c", Decimal(100), 0),
    )


def test_an_event_waits_with_its_sequence_and_an_id_of_its_own(wallet_database):
    with wallet_database.transaction() as cursor:
        append(cursor, "1", "2")

    first, second = database_rows = rows(
        wallet_database, "SELECT payload, sequence, event_id, request_id FROM outbox ORDER BY id"
    )
    assert [(payload, sequence, request_id) for payload, sequence, _, request_id in database_rows] == [
        ("1", 7, "request 7"),
        ("2", 7, "request 7"),
    ]
    assert len(first[2]) == len(second[2]) == 36
    assert first[2] != second[2]


# ---- responses saved under an Idempotency-Key

KEY = Key("POST /clients", "k", HASH)
SAVED = Response(201, "{}", "body")


def test_a_response_is_found_under_its_key_and_scope(wallet_database):
    with wallet_database.transaction() as cursor:
        assert IdempotencyKeys(cursor).find(KEY) is None
        IdempotencyKeys(cursor).save(KEY, SAVED)

    with wallet_database.transaction() as cursor:
        assert IdempotencyKeys(cursor).find(KEY) == SAVED
        assert IdempotencyKeys(cursor).find(KEY._replace(scope="POST /accounts")) is None


def test_a_key_is_refused_for_another_body(wallet_database):
    with wallet_database.transaction() as cursor:
        IdempotencyKeys(cursor).find(KEY)
        IdempotencyKeys(cursor).save(KEY, SAVED)

    with pytest.raises(KeyReused), wallet_database.transaction() as cursor:
        IdempotencyKeys(cursor).find(KEY._replace(body_sha256=OTHER_HASH))


def test_a_key_whose_transaction_was_rolled_back_is_free(wallet_database):
    with suppress(AccountNotFound), wallet_database.transaction() as cursor:
        IdempotencyKeys(cursor).find(KEY)
        raise AccountNotFound("a")

    with wallet_database.transaction() as cursor:
        assert IdempotencyKeys(cursor).find(KEY._replace(body_sha256=OTHER_HASH)) is None


def test_a_key_in_use_by_an_open_transaction_is_still_in_progress(wallet_database, wallet_url):
    with wallet_database.transaction() as cursor:
        IdempotencyKeys(cursor).find(KEY)

        with pytest.raises(StillInProgress), Database(wallet_url).transaction() as other:
            IdempotencyKeys(other).find(KEY)


def test_responses_older_than_a_day_are_forgotten_a_few_at_a_time(wallet_database):
    for age in (25, 26, 27, 1):
        execute(
            wallet_database,
            "INSERT INTO idempotency_keys (scope, idempotency_key, body_sha256, created_at)"
            " VALUES ('POST /clients', %s, %s, UTC_TIMESTAMP(6) - INTERVAL %s HOUR)",
            str(age),
            HASH,
            age,
        )

    with wallet_database.transaction() as cursor:
        removed = [IdempotencyKeys(cursor).forget_expired(limit=2) for _ in range(2)]

    assert removed == [2, 1]
    assert rows(wallet_database, "SELECT idempotency_key FROM idempotency_keys") == (("1",),)
