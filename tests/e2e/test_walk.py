"""The pipeline of a running system, end to end: what is posted to Wallet shows in Balances.

It disturbs nothing: its client and accounts are its own, and the 1.00 that it works with goes back in the end.
"""

from uuid import uuid4

import pytest

from tests.eventually import eventually
from tests.http_api import transfer_body

SEEDED = "a0000000-0000-4000-8000-000000000001"


@pytest.fixture(scope="module")
def client_id(wallet):
    answer = wallet("POST", "/clients", json={"name": "End To End", "email": "end.to.end@example.com"})
    assert answer.status_code == 201
    return answer.json()["ID"]


@pytest.fixture
def open_account(wallet, client_id):
    """Opens accounts; what they hold in the end goes back to the seeded one."""
    opened = []

    def open_account():
        answer = wallet("POST", "/accounts", json={"client_id": client_id})
        assert answer.status_code == 201
        opened.append(answer.json()["ID"])
        return opened[-1]

    yield open_account
    for account_id in opened:
        if left := wallet("GET", f"/accounts/{account_id}").json()["balance"]:
            assert transfer(wallet, account_id, SEEDED, left).status_code == 201


@pytest.fixture
def ana(wallet, open_account):
    """An account that holds 1.00."""
    account_id = open_account()
    assert transfer(wallet, SEEDED, account_id, 1.00).status_code == 201
    return account_id


@pytest.fixture
def bruno(open_account):
    """An account that holds nothing."""
    return open_account()


def transfer(wallet, source, target, amount, **options):
    return wallet("POST", "/transactions", json=transfer_body(source, target, amount), **options)


def shown(balances, account_id):
    """The balance that Balances shows, or None."""
    return balances("GET", f"/balances/{account_id}").json().get("balance")


def test_a_new_account_shows_in_balances_with_nothing_in_it(balances, bruno):
    eventually(lambda: shown(balances, bruno) == 0)


def test_a_transfer_shows_in_both_balances(wallet, balances, ana, bruno):
    answer = transfer(wallet, ana, bruno, 0.30)

    assert answer.status_code == 201
    eventually(lambda: (shown(balances, ana), shown(balances, bruno)) == (0.7, 0.3))


def test_transfers_show_in_the_end_as_the_wallet_has_them(wallet, balances, ana, bruno):
    for cents in range(1, 11):
        transfer(wallet, ana, bruno, cents / 100)
        transfer(wallet, bruno, ana, 0.01)

    held = [wallet("GET", f"/accounts/{account_id}").json()["balance"] for account_id in (ana, bruno)]
    assert held == [0.55, 0.45]
    eventually(lambda: [shown(balances, ana), shown(balances, bruno)] == held)


def test_a_refused_transfer_shows_nowhere(wallet, balances, ana, bruno):
    answer = transfer(wallet, ana, bruno, 1.01)
    transfer(wallet, ana, bruno, 0.01)  # announced later: once this shows, the refused one would show too

    assert answer.status_code == 422
    eventually(lambda: (shown(balances, ana), shown(balances, bruno)) == (0.99, 0.01))


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/clients", {"name": "", "email": "e@example.com"}, 422),
        ("/clients", [], 400),
        ("/accounts", {"client_id": "nobody"}, 404),
        ("/transactions", {"account_id_from": SEEDED, "account_id_to": SEEDED, "amount": 1}, 422),
        ("/transactions", {"account_id_from": SEEDED, "account_id_to": "nobody", "amount": 1}, 404),
        ("/transactions", {"account_id_from": SEEDED, "account_id_to": "nobody", "amount": "1"}, 400),
    ],
)
def test_a_refusal_is_a_problem_document(wallet, path, body, status):
    answer = wallet("POST", path, json=body)

    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_an_account_that_no_event_has_named_is_not_found(balances):
    answer = balances("GET", f"/balances/{uuid4()}")

    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_transfer_sent_twice_under_one_key_is_done_once(wallet, balances, ana, bruno):
    key = {"Idempotency-Key": str(uuid4())}

    first, second = (transfer(wallet, ana, bruno, 0.25, headers=key) for _ in range(2))

    assert (first.status_code, second.status_code, second.content) == (201, 201, first.content)
    eventually(lambda: shown(balances, bruno) == 0.25)
    assert wallet("GET", f"/accounts/{bruno}").json()["balance"] == 0.25


def test_what_was_created_is_found_at_its_location(wallet, client_id, ana, bruno):
    answer = transfer(wallet, ana, bruno, 0.05)

    transaction = wallet("GET", answer.headers["Location"]).json()
    account = wallet("GET", f"/accounts/{ana}").json()
    client = wallet("GET", f"/clients/{client_id}").json()

    assert {name: transaction[name] for name in answer.json()} == answer.json()
    assert (account["client_id"], account["balance"]) == (client_id, 0.95)
    assert client["name"] == "End To End"


def test_a_new_account_is_in_the_lists_of_both(wallet, balances, bruno):
    query = f"?limit=1&after={bruno[:-1]}"  # ends where it begins

    assert [each["id"] for each in wallet("GET", f"/accounts{query}").json()["accounts"]] == [bruno]
    eventually(
        lambda: [each["account_id"] for each in balances("GET", f"/balances{query}").json()["balances"]] == [bruno]
    )


@pytest.mark.parametrize("service", ["wallet", "balances"])
def test_a_running_service_is_healthy_and_ready_and_gives_each_request_its_id(request, service):
    ask = request.getfixturevalue(service)

    health, ready = ask("GET", "/health"), ask("GET", "/ready", headers={"X-Request-Id": "end-to-end"})

    assert health.json()["status"] == "ok"
    assert (ready.status_code, ready.json()["status"], ready.json()["mysql"]) == (200, "ready", "up")
    assert ready.headers["X-Request-Id"] == "end-to-end"
    assert health.headers["X-Request-Id"]
