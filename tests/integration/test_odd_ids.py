"""Every id that a table can hold can be asked for, also with what a URL or a router could take for something else."""

import http.client
import json
from contextlib import closing
from urllib.parse import quote

import pytest

from tests.integration.service import NOWHERE, Service, balances_on
from tests.integration.tables import execute

ODD_IDS = [
    "loja/1",
    "/",
    "//a",
    "a/",
    "a//b",
    ".",
    "..",
    "../a",
    "a/../b",
    "100%",
    "%2F",
    "a?b=c",
    "a#b",
    "a+b c",
    " leading",
    "a;b&c=d",
    "<id>",
    '"\\',
    "São-José",
    "口座/1",
    "🏦",
    "x" * 255,
    "🏦" * 255,
    "two\nlines\n",
]


def get(service, path):
    """(status, body), the path sent as it is: `requests` would normalise its dots."""
    with closing(http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


@pytest.fixture
def balances(balances_database, balances_url, tmp_path):
    for account_id in ODD_IDS:
        execute(balances_database, "INSERT INTO balances (account_id, balance) VALUES (%s, 7)", account_id)
    with Service(
        balances_on("none"), tmp_path / "log", DATABASE_URL=balances_url, KAFKA_BOOTSTRAP_SERVERS=NOWHERE
    ) as service:
        yield service


@pytest.fixture
def wallet(wallet_database, wallet_url, tmp_path):
    """With a client, an account and a transaction of each id, as an imported wallet may have them."""
    with wallet_database.transaction() as cursor:
        for each in ODD_IDS:
            cursor.execute("INSERT INTO clients (id, name, email) VALUES (%s, 'Ana', 'ana@example.com')", (each,))
            cursor.execute("INSERT INTO accounts (id, client_id, balance) VALUES (%s, %s, 7)", (each, each))
        for each in ODD_IDS:
            statement = "INSERT INTO transactions (id, account_id_from, account_id_to, amount) VALUES (%s, %s, %s, 1)"
            cursor.execute(statement, (each, each, ODD_IDS[0]))
    with Service(
        ["-m", "wallet"], tmp_path / "log", DATABASE_URL=wallet_url, KAFKA_BOOTSTRAP_SERVERS=NOWHERE
    ) as service:
        yield service


def test_balances_answers_for_every_id_that_it_holds(balances):
    found = {account_id: get(balances, "/balances/" + quote(account_id, safe="")) for account_id in ODD_IDS}

    assert {key: (status, body.get("account_id")) for key, (status, body) in found.items()} == {
        account_id: (200, account_id) for account_id in ODD_IDS
    }


def test_balances_lists_the_ids_that_it_answers_for(balances):
    _, listed = get(balances, "/balances?limit=1000")

    assert sorted(row["account_id"] for row in listed["balances"]) == sorted(ODD_IDS)


@pytest.mark.parametrize("collection", ["clients", "accounts", "transactions"])
def test_the_wallet_answers_for_every_id_that_it_holds(wallet, collection):
    found = {each: get(wallet, f"/{collection}/" + quote(each, safe="")) for each in ODD_IDS}

    assert {key: (status, body.get("id")) for key, (status, body) in found.items()} == {
        each: (200, each) for each in ODD_IDS
    }


@pytest.mark.parametrize("path", ["/balances/", "/balances/none", "/balances/none%2F", "/balances/%2Floja%2F1"])
def test_an_id_that_differs_in_a_slash_is_another_one(balances, path):
    assert get(balances, path)[0] == 404
