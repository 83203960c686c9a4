"""Freshness for clients: the Sequence and the ETag of a response, and `min_sequence`, which waits."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from decimal import Decimal

import pytest
import requests

from balances import projection
from balances.api import WAIT_SECONDS, WAITING_THREADS
from balances.messages import Balance
from common.http_server import THREADS
from tests.integration.service import NOWHERE, Service

NOON = datetime(2026, 11, 22, 12, 0)


@pytest.fixture(scope="module")
def service(balances_url, tmp_path_factory):
    log = tmp_path_factory.mktemp("balances") / "log"
    with Service(["-m", "balances"], log, DATABASE_URL=balances_url, KAFKA_BOOTSTRAP_SERVERS=NOWHERE) as service:
        yield service


@pytest.fixture
def apply_event(balances_database):
    """Apply an event as the consumer does."""

    def apply_event(balance, sequence, account_id="ana", moment=NOON):
        with balances_database.transaction() as cursor:
            projection.apply(cursor, [Balance(account_id, Decimal(balance), sequence, moment)])

    return apply_event


@pytest.fixture
def get(service, apply_event):
    apply_event("100", sequence=7)
    return lambda query="", account_id="ana", **headers: requests.get(
        f"{service.url}/balances/{account_id}{query}", headers=headers, timeout=10
    )


def timed(get, *arguments):
    started = time.monotonic()
    answer = get(*arguments)
    return answer.status_code, time.monotonic() - started


def test_a_balance_has_the_sequence_of_its_last_event(get):
    assert get().headers["Sequence"] == "7"


def test_a_client_that_has_the_body_gets_304(get):
    etag = get().headers["ETag"]

    answers = [get(**{"If-None-Match": known}) for known in (etag, f'"other", {etag}', f"W/{etag}", "*")]

    assert [(answer.status_code, answer.content) for answer in answers] == [(304, b"")] * 4
    assert {answer.headers["ETag"] for answer in answers} == {etag}


def test_any_change_of_the_body_changes_the_etag(get, apply_event):
    known = get().headers["ETag"]

    apply_event("100", sequence=8, moment=NOON.replace(microsecond=1))  # the same balance, a moment later
    answer = get(**{"If-None-Match": known})

    assert answer.status_code == 200
    assert answer.headers["ETag"] != known


@pytest.mark.parametrize("known", ["", "7", '"7"', "ana", "\xff"])
def test_another_etag_gets_the_body(get, known):
    assert get(**{"If-None-Match": known.encode("latin-1")}).status_code == 200


@pytest.mark.parametrize("sequence", ["0", "6", "7"])
def test_a_sequence_that_is_applied_is_served_at_once(get, sequence):
    status, seconds = timed(get, f"?min_sequence={sequence}")

    assert status == 200
    assert seconds < WAIT_SECONDS


@pytest.mark.parametrize("account_id", ["ana", "new"])
def test_a_request_waits_for_the_sequence_and_gets_its_balance(get, apply_event, account_id):
    threading.Timer(0.3, apply_event, ("90", 8, account_id)).start()

    answer = get("?min_sequence=8", account_id)

    assert answer.status_code == 200
    assert answer.headers["Sequence"] == "8"
    assert answer.json()["balance"] == 90


@pytest.mark.parametrize("account_id", ["ana", "new"])
def test_a_sequence_that_is_not_applied_within_a_second_is_a_problem_of_its_own_type(get, account_id):
    status, seconds = timed(get, "?min_sequence=8", account_id)
    answer = get("?min_sequence=8", account_id)

    assert status == 503
    assert WAIT_SECONDS <= seconds < WAIT_SECONDS + 2
    assert answer.headers["Retry-After"] == "1"
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json() == {
        "type": "/problems/not-applied-yet",
        "title": "Not Applied Yet",
        "status": 503,
        "detail": "sequence 8 is not applied to this account yet; retry",
    }


@pytest.mark.parametrize(
    "given", ["", "-1", "1.5", "1e3", "x", "+7", " 7", "%207", "%D9%A7", "%FF", "9" * 20, "7&min_sequence=7"]
)
def test_an_invalid_sequence_is_refused(get, given):
    answer = get(f"?min_sequence={given}")

    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_requests_wait_in_half_of_the_threads_and_the_others_continue(get):
    assert WAITING_THREADS == THREADS // 2
    with ThreadPoolExecutor(2 * THREADS) as readers:
        waiting = [readers.submit(timed, get, "?min_sequence=8") for _ in range(2 * THREADS)]
        others = [timed(get) for _ in range(20)]
        outcomes = [each.result() for each in waiting]

    assert {status for status, _ in outcomes} == {503}
    assert sum(seconds >= WAIT_SECONDS for _, seconds in outcomes) <= 2 * WAITING_THREADS
    assert {status for status, _ in others} == {200}
    assert max(seconds for _, seconds in others) < WAIT_SECONDS
