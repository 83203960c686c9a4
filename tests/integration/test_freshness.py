"""Freshness that a reader can use: the Sequence and the ETag of an answer, and `min_sequence`, which waits."""

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
def hear(balances_database):
    """What the consumer does when an event comes."""

    def hear(balance, sequence, account_id="ana", moment=NOON):
        with balances_database.transaction() as cursor:
            projection.apply(cursor, [Balance(account_id, Decimal(balance), sequence, moment)])

    return hear


@pytest.fixture
def get(service, hear):
    hear("100", sequence=7)
    return lambda query="", account_id="ana", **headers: requests.get(
        f"{service.url}/balances/{account_id}{query}", headers=headers, timeout=10
    )


def timed(get, *arguments):
    started = time.monotonic()
    answer = get(*arguments)
    return answer.status_code, time.monotonic() - started


def test_a_balance_says_which_event_it_knows(get):
    assert get().headers["Sequence"] == "7"


def test_a_reader_who_knows_the_body_is_told_that_it_is_the_same(get):
    etag = get().headers["ETag"]

    answers = [get(**{"If-None-Match": known}) for known in (etag, f'"other", {etag}', f"W/{etag}", "*")]

    assert [(answer.status_code, answer.content) for answer in answers] == [(304, b"")] * 4
    assert {answer.headers["ETag"] for answer in answers} == {etag}


def test_any_change_of_the_body_changes_the_etag(get, hear):
    known = get().headers["ETag"]

    hear("100", sequence=8, moment=NOON.replace(microsecond=1))  # the same balance, a moment later
    answer = get(**{"If-None-Match": known})

    assert answer.status_code == 200
    assert answer.headers["ETag"] != known


@pytest.mark.parametrize("known", ["", "7", '"7"', "ana", "\xff"])
def test_what_is_no_etag_of_the_body_gets_the_body(get, known):
    assert get(**{"If-None-Match": known.encode("latin-1")}).status_code == 200


@pytest.mark.parametrize("sequence", ["0", "6", "7"])
def test_a_sequence_already_heard_is_answered_at_once(get, sequence):
    status, seconds = timed(get, f"?min_sequence={sequence}")

    assert status == 200
    assert seconds < WAIT_SECONDS


@pytest.mark.parametrize("account_id", ["ana", "new"])
def test_a_reader_waits_for_the_sequence_and_gets_what_came_with_it(get, hear, account_id):
    threading.Timer(0.3, hear, ("90", 8, account_id)).start()

    answer = get("?min_sequence=8", account_id)

    assert answer.status_code == 200
    assert answer.headers["Sequence"] == "8"
    assert answer.json()["balance"] == 90


@pytest.mark.parametrize("account_id", ["ana", "new"])
def test_a_sequence_that_does_not_come_within_a_second_is_a_503_that_says_when_to_ask_again(get, account_id):
    status, seconds = timed(get, "?min_sequence=8", account_id)
    answer = get("?min_sequence=8", account_id)

    assert status == 503
    assert WAIT_SECONDS <= seconds < WAIT_SECONDS + 2
    assert answer.headers["Retry-After"] == "1"
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert "sequence 8" in answer.json()["detail"]


@pytest.mark.parametrize(
    "given", ["", "-1", "1.5", "1e3", "x", "+7", " 7", "%207", "%D9%A7", "%FF", "9" * 20, "7&min_sequence=7"]
)
def test_what_is_no_sequence_is_refused(get, given):
    answer = get(f"?min_sequence={given}")

    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_readers_wait_in_half_of_the_threads_and_the_others_are_answered(get):
    assert WAITING_THREADS == THREADS // 2
    with ThreadPoolExecutor(2 * THREADS) as readers:
        waiting = [readers.submit(timed, get, "?min_sequence=8") for _ in range(2 * THREADS)]
        others = [timed(get) for _ in range(20)]
        outcomes = [each.result() for each in waiting]

    assert {status for status, _ in outcomes} == {503}
    assert sum(seconds >= WAIT_SECONDS for _, seconds in outcomes) <= 2 * WAITING_THREADS
    assert {status for status, _ in others} == {200}
    assert max(seconds for _, seconds in others) < WAIT_SECONDS
