"""Balances over HTTP: a real process on a real MySQL and a real Kafka, on topics of its own."""

from uuid import uuid4

import pytest
import requests

from common.mysql import Database
from tests.events import balance_announced
from tests.eventually import eventually
from tests.http_api import check_problem
from tests.integration import tables
from tests.integration.service import NOWHERE, Service, balances_on
from tests.integration.tables import execute


@pytest.fixture(scope="module")
def topic(make_topic):
    return make_topic()


@pytest.fixture(scope="module")
def database(balances_url):
    # Emptied once, because the running consumer's offset is in it. Each test has account ids of its own.
    return tables.emptied(Database(balances_url), tables.BALANCES)


@pytest.fixture(scope="module")
def service(database, balances_url, kafka, topic, tmp_path_factory):
    with Service(
        balances_on(topic),
        tmp_path_factory.mktemp("balances") / "log",
        DATABASE_URL=balances_url,
        KAFKA_BOOTSTRAP_SERVERS=",".join(kafka["bootstrap_servers"]),
        KAFKA_GROUP_ID=topic,
    ) as service:
        eventually(lambda: requests.get(f"{service.url}/ready", timeout=5).ok)
        yield service


@pytest.fixture(scope="module")
def get(service):
    with requests.Session() as session:
        yield lambda path, **options: session.get(service.url + path, timeout=30, **options)


@pytest.fixture
def account_id():
    return f"account-{uuid4()}"


def insert(database, account_id, balance):
    execute(
        database,
        "INSERT INTO balances (account_id, balance, sequence, updated_at) VALUES (%s, %s, 7, %s)",
        account_id,
        balance,
        "2026-11-22 11:42:20.123456",
    )


def test_a_balance_is_an_exact_number(get, database, account_id):
    insert(database, account_id, "899.50")

    answer = get(f"/balances/{account_id}")

    assert answer.status_code == 200
    assert answer.text == (
        f'{{"account_id":"{account_id}","balance":899.5,"updated_at":"2026-11-22T11:42:20.123456Z"}}\n'
    )


def test_an_account_without_an_event_is_not_found(get, account_id):
    check_problem(get(f"/balances/{account_id}"), 404)


@pytest.mark.parametrize("near", ["{}%20", "{}/", "%20{}"])
def test_a_similar_id_is_not_found(get, database, account_id, near):
    insert(database, account_id, 1)

    check_problem(get("/balances/" + near.format(account_id)), 404)


def test_balances_are_listed_page_by_page(get, database, account_id):
    for number in range(3):
        insert(database, f"{account_id}-{number}", number)

    first = get(f"/balances?limit=2&after={account_id}").json()
    second = get(f"/balances?limit=1&after={first['next']}").json()

    assert [each["account_id"] for each in first["balances"]] == [f"{account_id}-0", f"{account_id}-1"]
    assert (second["balances"][0]["account_id"], second["balances"][0]["balance"]) == (f"{account_id}-2", 2)


def test_the_last_page_has_no_next(get):
    assert get("/balances?after=~~~").json() == {"balances": [], "next": None}


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "after=" + "a" * 256, "after=%ff"])
def test_an_invalid_page_is_refused(get, query):
    check_problem(get(f"/balances?{query}"), 400)


def test_nothing_can_be_changed_over_http(service):
    answer = requests.post(f"{service.url}/balances", json={}, timeout=10)

    check_problem(answer, 405)
    assert answer.headers["Allow"] == "GET"


def test_a_record_on_the_topic_changes_the_balance(get, send, topic, account_id):
    send(topic, balance_announced(account_id, 12.34), headers=[("sequence", b"1")])

    answer = eventually(lambda: found if (found := get(f"/balances/{account_id}")).ok else None)

    assert answer.json()["balance"] == 12.34


def test_the_log_line_of_a_batch_has_the_request_ids(get, service, send, topic, account_id):
    send(topic, balance_announced(account_id, 1), headers=[("sequence", b"1"), ("request_id", account_id.encode())])

    eventually(lambda: get(f"/balances/{account_id}").ok)

    eventually(lambda: [line for line in service.lines("batch") if account_id in line["request_ids"]])


def test_each_request_has_a_log_line(get, service):
    request_id = str(uuid4())

    get("/balances/nothing", headers={"X-Request-Id": request_id})

    (line,) = eventually(lambda: [each for each in service.lines("request") if each["request_id"] == request_id])
    assert (line["method"], line["path"], line["status"]) == ("GET", "/balances/nothing", 404)
    assert line["duration_ms"] > 0


def test_ready_reports_the_position_the_lag_and_the_parked_records(get, send, topic):
    parked = get("/ready").json()["parked"]
    end = send(topic, b"garbage").offset + 1

    eventually(lambda: get("/ready").json()["parked"] == parked + 1)
    ready = eventually(lambda: facts if (facts := get("/ready").json())["partitions"][0]["position"] == end else None)

    assert ready["partitions"] == [
        {
            "topic": topic,
            "partition": 0,
            "position": end,
            "lag": 0,
            "lag_seconds": 0,
            "consumed": True,
            "stalled": False,
        }
    ]
    assert (ready["partitions_total"], ready["partitions_consumed"], ready["stalled"]) == (1, 1, 0)
    assert ready["problems"] == []
    assert {name: ready[name] for name in ("status", "mysql", "kafka", "consumer", "lag", "announce_required")} == {
        "status": "ready",
        "mysql": "up",
        "kafka": "up",
        "consumer": "consuming",
        "lag": 0,
        "announce_required": False,
    }
    assert 0 <= ready["last_event_seconds"] < 60


def test_without_kafka_stored_balances_are_served_though_it_is_not_ready(database, balances_url, tmp_path, account_id):
    insert(database, account_id, 1)
    with Service(
        balances_on("any"), tmp_path / "log", DATABASE_URL=balances_url, KAFKA_BOOTSTRAP_SERVERS=NOWHERE
    ) as service:
        eventually(lambda: requests.get(f"{service.url}/ready", timeout=5).json()["kafka"] == "down")
        ready = requests.get(f"{service.url}/ready", timeout=5)
        answer = requests.get(f"{service.url}/balances/{account_id}", timeout=5)
        health = requests.get(f"{service.url}/health", timeout=5)

    assert (ready.status_code, ready.json()["status"]) == (503, "not ready")
    assert (answer.status_code, health.status_code) == (200, 200)


def test_without_mysql_the_service_is_alive_but_not_ready_and_sends_retry_after(tmp_path):
    url = "mysql://balances:balances@127.0.0.1:1/balances"
    with Service(balances_on("any"), tmp_path / "log", DATABASE_URL=url, KAFKA_BOOTSTRAP_SERVERS=NOWHERE) as service:
        ready = requests.get(f"{service.url}/ready", timeout=10)
        answer = requests.get(f"{service.url}/balances/any", timeout=10)

    assert (ready.status_code, ready.json()["mysql"]) == (503, "down")
    check_problem(answer, 503)
    assert int(answer.headers["Retry-After"]) >= 1
