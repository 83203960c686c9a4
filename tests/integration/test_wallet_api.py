"""The wallet over HTTP: a real process on a real MySQL. Kafka is unavailable: the outbox keeps the events."""

import socket
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from itertools import count
from uuid import UUID

import pytest
import requests

from common.events.idempotency import IdempotencyKeys, Key
from common.http_request import BODY_BYTES
from common.http_server import HEADER_BYTES, READ_BODY_BYTES
from common.version import VERSION
from tests.eventually import eventually
from tests.http_api import check_problem, transfer_body
from tests.integration.service import NOWHERE, Service
from tests.integration.tables import execute, rows, value


@pytest.fixture
def database(wallet_database):
    """Ana's account holds 100, Bruno's nothing."""
    execute(wallet_database, "INSERT INTO clients (id, name, email) VALUES ('ana', 'Ana', 'ana@example.com')")
    for account_id, balance in (("a", 100), ("b", 0)):
        execute(
            wallet_database, "INSERT INTO accounts (id, client_id, balance) VALUES (%s, 'ana', %s)", account_id, balance
        )
    return wallet_database


@pytest.fixture
def wallet(wallet_service, database):
    """Sends a request: wallet("POST", path, …), as `requests` does."""
    with requests.Session() as session:
        yield lambda method, path, **options: session.request(method, wallet_service.url + path, timeout=30, **options)


def transfer(amount, source="a", target="b"):
    return transfer_body(source, target, amount)


def balances_in(database):
    return dict(rows(database, "SELECT id, balance FROM accounts"))


# ---- what is asked for is done


def test_a_client_is_created_with_the_body_of_wallet_core(wallet):
    answer = wallet("POST", "/clients", json={"name": "Zoë", "email": "zoe@example.com", "unknown": "ignored"})

    client = answer.json()
    assert answer.status_code == 201
    assert list(client) == ["ID", "Name", "Email", "CreatedAt", "UpdatedAt"]
    assert (client["Name"], client["Email"], client["CreatedAt"]) == ("Zoë", "zoe@example.com", client["UpdatedAt"])
    assert wallet("GET", answer.headers["Location"]).json() == {
        "id": str(UUID(client["ID"], version=4)),
        "name": "Zoë",
        "email": "zoe@example.com",
        "created_at": client["CreatedAt"],
    }


def test_an_account_is_opened_with_nothing_in_it_and_announced(wallet, database):
    answer = wallet("POST", "/accounts", json={"client_id": "ana"})

    account_id = answer.json()["ID"]
    assert (answer.status_code, list(answer.json())) == (201, ["ID"])
    assert wallet("GET", answer.headers["Location"]).json()["balance"] == 0
    assert rows(database, "SELECT sequence, topic, message_key, payload FROM outbox") == (
        (
            int(answer.headers["Sequence"]),
            "accounts",
            account_id,
            f'{{"Name":"AccountCreated","Payload":{{"account_id":"{account_id}","client_id":"ana","balance":0}}}}',
        ),
    )


def test_a_transfer_moves_the_money_and_publishes_the_bytes_of_wallet_core(wallet, database):
    answer = wallet("POST", "/transactions", json=transfer(0.5), headers={"X-Request-Id": "request-7"})

    transaction_id, sequence = answer.json()["id"], int(answer.headers["Sequence"])
    assert answer.status_code == 201
    assert answer.text == (f'{{"id":"{transaction_id}","account_id_from":"a","account_id_to":"b","amount":0.5}}\n')
    assert balances_in(database) == {"a": Decimal("99.50"), "b": Decimal("0.50")}
    updated = (
        '{"Name":"BalanceUpdated","Payload":{"account_id_from":"a","account_id_to":"b",'
        '"balance_account_id_from":99.5,"balance_account_id_to":0.5}}'
    )
    created = f'{{"Name":"TransactionCreated","Payload":{answer.text.rstrip()}}}'
    assert rows(database, "SELECT sequence, topic, message_key, payload, request_id FROM outbox ORDER BY id") == (
        (sequence, "balances", "a", updated, "request-7"),
        (sequence, "transactions", "a", created, "request-7"),
    )


def test_a_transaction_is_found_at_its_location(wallet):
    answer = wallet("POST", "/transactions", json=transfer(1))

    found = wallet("GET", answer.headers["Location"]).json()

    assert found.pop("created_at").endswith("Z")
    assert found == answer.json()


@pytest.mark.parametrize(("written", "number"), [("1e2", "100"), ("0.10", "0.1"), ("100.00", "100"), ("99.5", "99.5")])
def test_an_amount_is_exact_in_every_notation(wallet, written, number):
    answer = wallet("POST", "/transactions", data=f'{{"account_id_from":"a","account_id_to":"b","amount":{written}}}')

    assert answer.status_code == 201
    assert answer.text.endswith(f'"amount":{number}}}\n')


def test_the_content_type_is_nobodys_business(wallet):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}

    answer = wallet("POST", "/clients", data='{"name":"Ana","email":"ana@example.com"}', headers=headers)

    assert answer.status_code == 201


def test_accounts_are_listed_page_by_page(wallet):
    first = wallet("GET", "/accounts?limit=1").json()
    second = wallet("GET", f"/accounts?limit=1&after={first['next']}").json()
    third = wallet("GET", f"/accounts?limit=1&after={second['next']}").json()

    assert [account["id"] for account in first["accounts"] + second["accounts"]] == ["a", "b"]
    assert list(first["accounts"][0]) == ["id", "client_id", "client_name", "balance", "created_at"]
    assert third == {"accounts": [], "next": None}


# ---- refusals


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/clients", "", 400),
        ("/clients", "{", 400),
        ("/clients", "[]", 400),
        ("/clients", "null", 400),
        ("/clients", b'{"name":"\xff","email":"e"}', 400),
        ("/clients", '{"name":1,"email":"e"}', 400),
        ("/clients", '{"name":"a","name":"b","email":"e"}', 400),
        ("/clients", '{"email":"e"}', 422),
        ("/clients", '{"name":"","email":"e"}', 422),
        ("/clients", '{"name":"n","email":" "}', 422),
        ("/clients", '{"name":"' + "n" * 256 + '","email":"e"}', 422),
        ("/accounts", "{}", 400),
        ("/accounts", '{"client_id":null}', 400),
        ("/accounts", '{"client_id":"nobody"}', 404),
        ("/accounts", '{"client_id":"ana "}', 404),
        ("/transactions", '{"account_id_from":"a","account_id_to":"b"}', 400),
        ("/transactions", '{"account_id_from":"a","account_id_to":"b","amount":"1"}', 400),
        ("/transactions", '{"account_id_from":"a","account_id_to":"b","amount":true}', 400),
        ("/transactions", '{"account_id_from":"a","account_id_to":"b","amount":NaN}', 400),
        ("/transactions", '{"account_id_from":"a","account_id_to":"b","amount":Infinity}', 400),
        ("/transactions", '{"account_id_from":1,"account_id_to":"b","amount":1}', 400),
        ("/transactions", '{"account_id_from":"a","account_id_to":"x","amount":1}', 404),
        ("/transactions", '{"account_id_from":"x","account_id_to":"b","amount":1}', 404),
        ("/transactions", '{"account_id_from":"a ","account_id_to":"b","amount":1}', 404),
        ("/transactions", '{"account_id_from":"a","account_id_to":"a","amount":1}', 422),
        ("/transactions", '{"account_id_from":"a","account_id_to":"b","amount":100.01}', 422),
        ("/transactions", '{"account_id_from":"a","account_id_to":"b","amount":0}', 422),
        ("/transactions", '{"account_id_from":"a","account_id_to":"b","amount":-1}', 422),
        ("/transactions", '{"account_id_from":"a","account_id_to":"b","amount":0.001}', 422),
        ("/transactions", '{"account_id_from":"a","account_id_to":"b","amount":10000000000000}', 422),
        ("/transactions", '{"account_id_from":"a","account_id_to":"b","amount":1e400000}', 422),
        ("/transactions", '{"account_id_from":"a","account_id_to":"b","amount":1' + "0" * 5000 + "}", 422),
    ],
)
def test_a_refusal_has_a_reason_and_changes_nothing(wallet, database, path, body, status):
    answer = wallet("POST", path, data=body)

    check_problem(answer, status)
    assert balances_in(database) == {"a": 100, "b": 0}
    assert value(database, "SELECT COUNT(*) FROM clients") == 1
    assert value(database, "SELECT COUNT(*) FROM outbox") == 0


def test_a_transfer_that_the_receivers_column_cannot_hold_is_refused(wallet, database):
    execute(database, "UPDATE accounts SET balance = 9999999999999.99 WHERE id = 'b'")

    check_problem(wallet("POST", "/transactions", json=transfer(0.01)), 422)


@pytest.mark.parametrize(
    "path", ["/clients/nobody", "/accounts/a%20", "/accounts/A", "/transactions/none", "/none", "/accounts/a/b"]
)
def test_what_is_not_there_is_not_found(wallet, path):
    check_problem(wallet("GET", path), 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/transactions", "POST"), ("DELETE", "/accounts", "GET,POST"), ("POST", "/health", "GET")],
)
def test_another_method_of_a_path_is_refused_with_the_allowed_ones(wallet, method, path, allowed):
    answer = wallet(method, path)

    check_problem(answer, 405)
    assert answer.headers["Allow"] == allowed


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "limit=-1", "after=" + "a" * 256, "after=%ff"])
def test_a_page_that_cannot_be_is_refused(wallet, query):
    check_problem(wallet("GET", f"/accounts?{query}"), 400)


def test_a_body_may_have_64_kib_and_no_byte_more(wallet):
    client = b'{"name":"Ana","email":"ana@example.com"}'

    assert wallet("POST", "/clients", data=client.ljust(BODY_BYTES)).status_code == 201
    check_problem(wallet("POST", "/clients", data=client.ljust(BODY_BYTES + 1)), 413)


# ---- what the server refuses before the API


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"POST /clients HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (READ_BODY_BYTES + 1), 413),
        (b"GET /health HTTP/1.1\r\nX: ".ljust(HEADER_BYTES, b"x"), 431),
        (b"GET /health HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"POST /clients HTTP/1.1\r\nContent-Length: many\r\n\r\n", 400),
        (b"POST /clients HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
    ],
)
def test_what_is_no_request_at_all_gets_a_problem_document_too(wallet_service, request_bytes, status):
    with socket.create_connection(("127.0.0.1", wallet_service.port), timeout=10) as connection:
        connection.sendall(request_bytes)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))

    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split()[1] == str(status).encode()
    assert b"Content-Type: application/problem+json" in head
    assert f'"status":{status}'.encode() in body


# ---- request ids


@pytest.mark.parametrize("path", ["/accounts/a", "/none"])
def test_a_request_keeps_the_id_that_it_came_with(wallet, path):
    assert wallet("GET", path, headers={"X-Request-Id": "a.B-1:2_3"}).headers["X-Request-Id"] == "a.B-1:2_3"


@pytest.mark.parametrize("given", [None, "", "with space", "x" * 129, "é".encode()])
def test_a_request_without_a_good_id_gets_one(wallet, given):
    answer = wallet("GET", "/accounts/a", headers={"X-Request-Id": given})

    assert UUID(answer.headers["X-Request-Id"])


# ---- Idempotency-Key


keys = (f"key-{number}" for number in count())


def test_a_key_seen_before_gets_the_answer_it_got_before(wallet, database):
    key = {"Idempotency-Key": next(keys)}
    first = wallet("POST", "/transactions", json=transfer(10), headers=key)

    again = wallet("POST", "/transactions", json=transfer(10), headers=key)

    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert all(again.headers[name] == first.headers[name] for name in ("Location", "Sequence", "Content-Type"))
    assert balances_in(database) == {"a": 90, "b": 10}


def test_a_key_with_another_body_is_refused(wallet, database):
    key = {"Idempotency-Key": next(keys)}
    wallet("POST", "/transactions", json=transfer(10), headers=key)

    check_problem(wallet("POST", "/transactions", json=transfer(11), headers=key), 422)

    assert balances_in(database) == {"a": 90, "b": 10}


def test_one_key_serves_each_path_once(wallet):
    key = {"Idempotency-Key": next(keys)}

    client = wallet("POST", "/clients", json={"name": "Ana", "email": "ana@example.com"}, headers=key)
    account = wallet("POST", "/accounts", json={"client_id": client.json()["ID"]}, headers=key)

    assert (client.status_code, account.status_code) == (201, 201)


def test_a_key_whose_first_request_is_in_progress_is_refused(wallet, database):
    key = next(keys)
    with database.transaction() as cursor:
        IdempotencyKeys(cursor).find(Key("POST /transactions", key, b"0" * 32))

        answer = wallet("POST", "/transactions", json=transfer(10), headers={"Idempotency-Key": key})

    check_problem(answer, 409)
    assert balances_in(database) == {"a": 100, "b": 0}


def test_two_at_once_under_one_key_make_one_transfer(wallet, wallet_service, database):
    key = {"Idempotency-Key": next(keys)}

    def post(_):
        return requests.post(f"{wallet_service.url}/transactions", json=transfer(10), headers=key, timeout=30)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(post, range(16)))

    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    assert balances_in(database) == {"a": 90, "b": 10}
    assert value(database, "SELECT COUNT(*) FROM transactions") == 1


def test_a_refusal_is_not_kept(wallet, database):
    key = {"Idempotency-Key": next(keys)}
    check_problem(wallet("POST", "/transactions", json=transfer(101), headers=key), 422)
    execute(database, "UPDATE accounts SET balance = 101 WHERE id = 'a'")

    answer = wallet("POST", "/transactions", json=transfer(101), headers=key)

    assert answer.status_code == 201
    assert balances_in(database) == {"a": 0, "b": 101}


@pytest.mark.parametrize("key", ["", "k" * 256, "with space"])
def test_a_key_that_cannot_be_is_refused(wallet, key):
    check_problem(wallet("POST", "/transactions", json=transfer(1), headers={"Idempotency-Key": key}), 400)


# ---- many at once


def test_transfers_at_once_neither_make_nor_lose_a_cent(wallet_service, database):
    accounts = ["a", "b", "c", "d"]
    for account_id in "cd":
        execute(database, "INSERT INTO accounts (id, client_id, balance) VALUES (%s, 'ana', 100)", account_id)

    def client(number):
        with requests.Session() as session:
            for turn in range(40):
                source, target = accounts[(number + turn) % 4], accounts[(number * turn + 1) % 4]
                body = transfer((turn % 7) * 7.01 + 0.01, source, target)
                yield session.post(f"{wallet_service.url}/transactions", json=body, timeout=30).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = [status for answers in pool.map(lambda number: list(client(number)), range(8)) for status in answers]

    balances = balances_in(database)
    events = [payload for (payload,) in rows(database, "SELECT payload FROM outbox")]
    assert set(statuses) == {201, 422}  # refused: the same account twice, or not enough on it
    assert sum(balances.values()) == 300
    assert min(balances.values()) >= 0
    assert value(database, "SELECT COUNT(*) FROM transactions") == statuses.count(201)
    for name in ("BalanceUpdated", "TransactionCreated"):
        assert sum(f'"Name":"{name}"' in event for event in events) == statuses.count(201)


# ---- health


def test_an_outage_of_kafka_is_no_fault_and_the_outbox_is_reported(wallet, database):
    wallet("POST", "/transactions", json=transfer(1))

    eventually(lambda: wallet("GET", "/ready").json()["kafka"] == "down")
    ready = wallet("GET", "/ready")

    assert (ready.status_code, ready.json()["status"], ready.json()["outbox_rows"]) == (200, "ready", 2)
    assert ready.json()["outbox_oldest_seconds"] > 0
    assert wallet("GET", "/health").json() == {"status": "ok", "version": VERSION}


def test_a_wallet_without_mysql_is_alive_but_not_ready_and_sends_retry_after(tmp_path):
    url = "mysql://wallet:wallet@127.0.0.1:1/wallet"
    with Service(["-m", "wallet"], tmp_path / "log", DATABASE_URL=url, KAFKA_BOOTSTRAP_SERVERS=NOWHERE) as service:
        ready = requests.get(f"{service.url}/ready", timeout=10)
        answer = requests.post(f"{service.url}/transactions", json=transfer(1), timeout=10)

    assert (ready.status_code, ready.json()["mysql"]) == (503, "down")
    check_problem(answer, 503)
    assert int(answer.headers["Retry-After"]) >= 1
