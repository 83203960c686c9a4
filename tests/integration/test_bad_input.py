"""What a client may send wrong or not at all: each its 4xx problem document, nothing stored, and the others served."""

import json
import resource
import socket
import time
from contextlib import ExitStack
from urllib.parse import quote

import pytest
import requests

from common.connections import CONNECTIONS
from common.http_channel import PIPELINED_REQUESTS
from tests.eventually import eventually
from tests.http_api import check_problem
from tests.integration.tables import execute, value

ACCOUNT = "GET /accounts/ana HTTP/1.1\r\nHost: wallet\r\n"
CLIENT = '{"name":"Ana","email":"ana@example.com"}'


@pytest.fixture(scope="module")
def service(wallet_service):
    yield wallet_service
    assert not wallet_service.lines("request failed")


@pytest.fixture
def database(wallet_database):
    execute(wallet_database, "INSERT INTO clients (id, name, email) VALUES ('ana', 'Ana', 'ana@example.com')")
    execute(
        wallet_database, "INSERT INTO accounts (id, client_id, balance) VALUES ('ana', 'ana', 100), ('bob', 'ana', 0)"
    )
    return wallet_database


# ---- requests that are no requests


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        ("\x16\x03\x01\x02 TLS\r\n\r\n", 400),
        ("get /accounts/ana HTTP/1.1\r\n\r\n", 400),
        ("GET http://[ HTTP/1.1\r\n\r\n", 400),
        ("GET http://[::zz]/health HTTP/1.1\r\n\r\n", 400),
        ("GET /accounts/ana\r\nHost: x\r\n\nX: y\r\n\r\n", 400),
        (ACCOUNT + "X : y\r\n\r\n", 400),
        (ACCOUNT + "X-Request-Id: a\x00b\r\n\r\n", 400),
        (ACCOUNT + "X: a\nY: b\r\n\r\n", 400),
        (ACCOUNT + "X: " + "x" * 20_000 + "\r\n\r\n", 431),
        (ACCOUNT + "X: y\r\n" * 4_000 + "\r\n", 431),
        ("POST /clients HTTP/1.1\r\nContent-Length: 40\r\nContent-Length: 41\r\n\r\n" + CLIENT, 400),
        ("POST /clients HTTP/1.1\r\nContent-Length: 40, 40\r\n\r\n" + CLIENT, 400),
        ("POST /clients HTTP/1.1\r\nContent-Length: -40\r\n\r\n" + CLIENT, 400),
        ("POST /clients HTTP/1.1\r\nContent-Length: +40\r\n\r\n" + CLIENT, 400),
        (f"POST /clients HTTP/1.1\r\nContent-Length: {'9' * 5_000}\r\n\r\n" + CLIENT, 400),
        (f"POST /clients HTTP/1.1\r\nContent-Length: {'9' * 20}\r\n\r\n" + CLIENT, 413),
        ("POST /clients HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
        ("POST /clients HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", 400),
        (
            "POST /clients HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 40\r\n\r\n28\r\n"
            + CLIENT
            + "\r\n0\r\n\r\n",
            400,
        ),
        ("POST /clients HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n28\r\n" + CLIENT + "\r\n0\r\n\r\n", 400),
    ],
    ids=range(20),
)
def test_what_is_no_request_gets_a_problem_document_and_leaves_nothing(service, database, request_text, status):
    answer = ask_raw(service, request_text.encode("latin-1"))

    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split()[1] == str(status).encode(), answer
    assert b"Content-Type: application/problem+json" in head
    assert json.loads(body)["status"] == status
    assert service.lines("request refused")[-1]["status"] == status
    assert value(database, "SELECT COUNT(*) FROM clients") == 1


def test_a_request_hidden_behind_conflicting_lengths_is_not_processed(service, database):
    hidden = "POST /clients HTTP/1.1\r\nContent-Length: 40\r\n\r\n" + CLIENT
    smuggled = (
        f"POST /clients HTTP/1.1\r\nContent-Length: {5 + len(hidden)}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    )

    answer = ask_raw(service, (smuggled + hidden).encode())

    assert answer.count(b"HTTP/1.1 ") == 1
    assert value(database, "SELECT COUNT(*) FROM clients") == 1


# ---- ids, paths and queries


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/accounts/an%FFa", 400),  # Bottle alone would drop the byte and answer with Ana's account
        ("/accounts/%C3%28", 400),
        ("/accounts/an%ED%A0%80a", 400),  # a lone surrogate
        ("/accounts/ana%00", 404),
        ("/accounts/%00", 404),
        ("/accounts/an%2Fa", 404),
        ("/accounts/ana%2F", 404),
        ("/accounts/..%2Fana", 404),
        ("/accounts/ana%20", 404),
        ("/accounts/ANA", 404),
        ("/accounts/ana;v=1", 404),
        ("/accounts/%25", 404),
        ("/accounts/%zz", 404),
        ("/accounts/' OR '1'='1", 404),
        ("/accounts/" + "x" * 8_000, 404),
        ("/accounts/" + quote("🂡" * 300), 404),
        ("/accounts/", 404),
        ("/accounts//ana", 404),
        ("/clients/an%FFa", 400),
        ("/accounts?limit=0", 400),
        ("/accounts?limit=-1", 400),
        ("/accounts?limit=1e3", 400),
        ("/accounts?limit=%D9%A1", 400),  # an Arabic one
        ("/accounts?limit=" + "9" * 5_000, 400),
        ("/accounts?limit=1&limit=2", 400),
        ("/accounts?after=" + "x" * 256, 400),
        ("/accounts?after=%FF", 400),
        ("/accounts?%FF=1", 400),
        ("/nowhere/" + "x" * 8_000, 404),
    ],
)
def test_a_path_or_query_of_any_shape_is_refused_in_few_words(service, database, path, status):
    answer = requests.get(f"{service.url}{path}", timeout=10)

    check_problem(answer, status)
    assert len(answer.json()["detail"]) <= 300


# ---- headers


@pytest.mark.parametrize(
    "header", ["Idempotency-Key", "X-Request-Id", "Authorization", "Origin", "Sec-Fetch-Site", "Expect"]
)
@pytest.mark.parametrize("text", [b"\xff\xfe", b"a" * 10_000, "ana é".encode(), b"[", b"%00", b""])
def test_a_header_of_any_bytes_is_taken_or_refused(service, database, header, text):
    answer = ask_raw(
        service,
        b"POST /clients HTTP/1.1\r\nConnection: close\r\nContent-Length: 40\r\n%s: %s\r\n\r\n%s"
        % (header.encode(), text, CLIENT.encode()),
    )

    assert answer.split()[1] in (b"201", b"400", b"403")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://elsewhere"}, 201),  # behind a proxy that changes the host
        ({"Sec-Fetch-Site": "none"}, 201),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://elsewhere"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://{host}"}, 201),
        ({}, 201),
    ],
)
def test_a_page_of_another_site_changes_nothing(service, database, headers, status):
    host = service.url.removeprefix("http://")

    answer = requests.post(
        f"{service.url}/clients",
        data=CLIENT,
        headers={name: text.format(host=host) for name, text in headers.items()},
        timeout=10,
    )

    assert answer.status_code == status
    assert value(database, "SELECT COUNT(*) FROM clients") == (2 if status == 201 else 1)
    assert not [name for name in answer.headers if name.startswith("Access-Control-")]


def test_a_browsers_question_whether_another_site_may_is_not_answered(service):
    answer = requests.options(f"{service.url}/transactions", headers={"Origin": "http://elsewhere"}, timeout=10)

    check_problem(answer, 405)
    assert not [name for name in answer.headers if name.startswith("Access-Control-")]


# ---- clients that take their time, or everybody's


def test_of_a_hundred_requests_sent_at_once_the_first_are_answered_and_the_rest_is_not_worked_on(service, database):
    """Answers that nobody takes would fill the memory, and hold every thread: 8 KB of requests, 16 MB of answers."""
    answer = ask_raw(service, f"{ACCOUNT}\r\n".encode() * 100)

    assert PIPELINED_REQUESTS <= answer.count(b"HTTP/1.1 200 OK") <= 2 * PIPELINED_REQUESTS
    assert b"Connection: close" in answer


def test_a_client_gets_at_least_the_first_of_its_pipelined_requests_answered_in_order(service, database):
    answer = ask_raw(
        service, f"{ACCOUNT}X-Request-Id: 1\r\n\r\n{ACCOUNT}X-Request-Id: 2\r\nConnection: close\r\n\r\n".encode()
    )

    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert answer.index(b"X-Request-Id: 1") < answer.index(b"X-Request-Id: 2")


def test_two_thousand_idle_and_dripping_connections_do_not_keep_another_out(service, database):
    allow_files(2_200)
    drip = b"GET /health HTTP/1.1\r\nX: "

    with ExitStack() as stack:
        dripping = [stack.enter_context(connected(service)) for _ in range(CONNECTIONS - 100)]
        for connection in dripping:
            connection.sendall(drip)
        for _ in range(2_000 - len(dripping)):
            stack.enter_context(connected(service, blocking=False))
        seconds = seconds_to_answer(service)
        cut_off = eventually(lambda: is_cut_off(dripping[0]), seconds=20)

    assert seconds < 15
    assert cut_off
    assert eventually(lambda: seconds_to_answer(service) < 1, seconds=30)


def ask_raw(service, request_bytes):
    """All that comes back before the service closes the connection."""
    with connected(service) as connection:
        connection.sendall(request_bytes)
        received = b""
        try:
            while chunk := connection.recv(65536):
                received += chunk
        except ConnectionResetError:  # the service closed the connection before it had read everything
            pass
    return received


def connected(service, blocking=True):
    connection = socket.socket()
    connection.settimeout(10)
    connection.setblocking(blocking)
    connection.connect_ex(("127.0.0.1", service.port))
    return connection


def is_cut_off(connection):
    """Whether the service has closed it; until then it gets a byte more."""
    try:
        connection.sendall(b"x")
        connection.settimeout(0.2)
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


def seconds_to_answer(service):
    started = time.monotonic()
    assert requests.get(f"{service.url}/accounts/ana", timeout=30).status_code == 200
    return time.monotonic() - started


def allow_files(number):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < number:
        pytest.skip(f"no more than {hard} open files are allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, number), hard))
