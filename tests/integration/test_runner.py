"""How a service ends, and how its processes depend on each other: real processes, real signals."""

import os
import signal
import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest
import requests

from tests.eventually import eventually
from tests.integration.service import NOWHERE, Service, balances_on
from tests.integration.tables import execute, value


@pytest.fixture
def database(wallet_database):
    execute(wallet_database, "INSERT INTO clients (id, name, email) VALUES ('ana', 'Ana', 'ana@example.com')")
    execute(wallet_database, "INSERT INTO accounts (id, client_id, balance) VALUES ('a', 'ana', 100), ('b', 'ana', 0)")
    return wallet_database


@pytest.fixture
def wallet(wallet_url, tmp_path):
    """Starts a wallet, with more of the environment if given."""

    def wallet(**environment):
        options = {"DATABASE_URL": wallet_url, "KAFKA_BOOTSTRAP_SERVERS": NOWHERE, **environment}
        return Service(["-m", "wallet"], tmp_path / "log", **options)

    return wallet


@pytest.fixture
def balances(balances_database, balances_url, kafka, topic, tmp_path):
    """Starts a Balances that follows a topic of the test's own, with more of the environment if given."""

    def balances(**environment):
        options = {
            "DATABASE_URL": balances_url,
            "KAFKA_BOOTSTRAP_SERVERS": ",".join(kafka["bootstrap_servers"]),
            "KAFKA_GROUP_ID": topic,
            **environment,
        }
        return Service(balances_on(topic), tmp_path / "log", **options)

    return balances


ANSWERS_ITS_PID = """
import os
from common import runner
from common.log import configure

configure("test")

def app(environ, start_response):
    start_response("200 OK", [("Content-Length", str(len(str(os.getpid()))))])
    return [str(os.getpid()).encode()]

runner.run(lambda first: (app, []), "127.0.0.1", int(os.environ["PORT"]), processes=2)
"""


def pids_that_answer(connections):
    """The pid that each connection gets, all requests under way at once."""
    for connection in connections:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
    return [connection.recv(1000).split()[-1] for connection in connections]


def test_the_processes_share_the_connections_evenly(tmp_path):
    shares = []
    with Service(["-c", ANSWERS_ITS_PID], tmp_path / "log") as service, ExitStack() as stack:
        eventually(lambda: len(service.lines("serving")) == 2)
        for _ in range(10):
            address = ("127.0.0.1", service.port)
            connections = [stack.enter_context(socket.create_connection(address, timeout=10)) for _ in range(16)]
            shares.append(max(Counter(pids_that_answer(connections)).values()))

    assert max(shares) <= 16 * 0.7


def test_a_process_that_hangs_keeps_no_connection_from_the_other_one(tmp_path):
    with Service(["-c", ANSWERS_ITS_PID], tmp_path / "log") as service, ExitStack() as stack:
        hanging, _ = eventually(lambda: lines if len(lines := service.lines("serving")) == 2 else None)
        os.kill(hanging["pid"], signal.SIGSTOP)
        stack.callback(os.kill, hanging["pid"], signal.SIGCONT)
        address = ("127.0.0.1", service.port)

        connections = [stack.enter_context(socket.create_connection(address, timeout=10)) for _ in range(16)]

        assert len(set(pids_that_answer(connections))) == 1


def post_transfer(service):
    body = {"account_id_from": "a", "account_id_to": "b", "amount": 1}
    return requests.post(f"{service.url}/transactions", json=body, timeout=20)


def pids_of_two(service):
    """The pids of its two processes, once both serve."""
    return eventually(lambda: pids if len(pids := [line["pid"] for line in service.lines("serving")]) == 2 else None)


def is_listening(service):
    try:
        requests.get(f"{service.url}/health", timeout=5)
    except requests.ConnectionError:
        return False
    return True


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_service_ends_at_once_and_in_order(wallet, database, number):
    with wallet() as service:
        code, seconds = service.stop(number)

    assert (code, seconds < 8) == (0, True)
    assert service.lines("stopped")


INTERRUPTS_ITS_SIGNAL_HANDLER = """
import os, signal, sys
from common import runner
from common.log import configure

configure("test")
serving = False

def app(environ, start_response):
    global serving
    serving = True
    start_response("200 OK", [("Content-Length", "0")])
    return []

def interrupt(frame, event, argument):
    if serving and frame.f_code.co_filename.endswith(("runner.py", "threading.py")):
        signal.raise_signal(signal.SIGTERM)  # the main thread executes no other line of these files while it serves
    return interrupt

sys.settrace(interrupt)
runner.run(lambda first: (app, []), "127.0.0.1", int(os.environ["PORT"]))
"""


def test_a_second_signal_in_the_middle_of_the_first_ones_handler_does_not_keep_the_process_from_ending(tmp_path):
    with Service(["-c", INTERRUPTS_ITS_SIGNAL_HANDLER], tmp_path / "log") as service:
        code, seconds = service.stop()

    assert (code, seconds < 8) == (0, True)


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_request_in_progress_is_answered_and_new_ones_are_refused(wallet, database, processes):
    with wallet(HTTP_PROCESSES=processes) as service, ThreadPoolExecutor() as pool:
        # A process that has not started yet ends by the signal itself, with another exit code.
        eventually(lambda: len(service.lines("serving")) == int(processes))
        with database.transaction() as cursor:
            cursor.execute("SELECT id FROM accounts FOR UPDATE")  # the transfer waits for these rows
            answer = pool.submit(post_transfer, service)
            eventually(lambda: waits_for_rows(cursor))

            stopping = pool.submit(service.stop)
            eventually(lambda: not is_listening(service))
        code, seconds = stopping.result()

        assert answer.result().status_code == 201
    assert (code, seconds < 8) == (0, True)
    assert value(database, "SELECT balance FROM accounts WHERE id = 'b'") == 1


def test_a_reader_who_waits_for_a_sequence_is_answered_though_the_service_ends(balances):
    with balances() as service, socket.create_connection(("127.0.0.1", service.port), timeout=10) as reader:
        eventually(lambda: requests.get(f"{service.url}/ready", timeout=5).ok)
        reader.sendall(b"GET /balances/none?min_sequence=1 HTTP/1.1\r\n\r\n")  # waits a second
        requests.get(f"{service.url}/health", timeout=5)  # once this is answered, that one was taken

        code, seconds = service.stop()

        assert reader.recv(100).startswith(b"HTTP/1.1 503")
    assert (code, seconds < 8) == (0, True)


WORKER_THAT_ENDS_DURING_A_REQUEST = """
import os, threading, time
from common import runner
from common.log import configure
from common.worker_status import WorkerStatus

configure("test")
requested = threading.Event()

def app(environ, start_response):
    if environ["PATH_INFO"] == "/last":
        requested.set()
        time.sleep(0.5)  # a process that no longer waits for it has ended by then
    start_response("200 OK", [("Content-Length", "0")])
    return []

def work(stop):
    stop.wait()
    requested.wait()

worker = runner.Worker("worker", work, WorkerStatus())
runner.run(lambda first: (app, [worker]), "127.0.0.1", int(os.environ["PORT"]))
"""


def test_a_request_that_arrives_on_an_open_connection_while_the_workers_end_is_answered(tmp_path):
    with Service(["-c", WORKER_THAT_ENDS_DURING_A_REQUEST], tmp_path / "log") as service, ThreadPoolExecutor() as pool:
        with socket.create_connection(("127.0.0.1", service.port), timeout=10) as client:
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert client.recv(1000).startswith(b"HTTP/1.1 200")
            stopping = pool.submit(service.stop)
            eventually(lambda: not is_listening(service))

            client.sendall(b"GET /last HTTP/1.1\r\n\r\n")

            response = client.recv(1000)
        code, _ = stopping.result()

    assert response.startswith(b"HTTP/1.1 200")
    assert b"Connection: close" in response
    assert code == 0
    assert not service.lines("not everything ended in time: open transactions are rolled back")


def test_a_request_that_does_not_end_is_cut_off_in_time_and_leaves_nothing(wallet, database):
    with wallet() as service, ThreadPoolExecutor() as pool:
        # Not a transaction() of the database, whose session MySQL ends after a shorter silence than this one's.
        with closing(database.connect()) as connection, connection.cursor() as cursor:
            connection.begin()
            cursor.execute("SELECT id FROM accounts WHERE id = 'a' FOR UPDATE")
            answer = pool.submit(post_transfer, service)
            eventually(lambda: waits_for_rows(cursor))

            code, seconds = service.stop()

        assert isinstance(answer.exception(), requests.ConnectionError)
    assert (code, seconds < 8) == (0, True)
    assert value(database, "SELECT balance FROM accounts WHERE id = 'b'") == 0


def waits_for_rows(cursor):
    cursor.execute("SHOW FULL PROCESSLIST")
    return any("WHERE id IN" in (row[7] or "") for row in cursor.fetchall())


def test_each_of_several_processes_answers_and_knows_of_the_one_relay(wallet, database):
    with wallet(HTTP_PROCESSES="2") as service:
        pids = pids_of_two(service)
        eventually(lambda: requests.get(f"{service.url}/ready", timeout=5).json()["kafka"] == "down")

        answers = []
        for halted in pids:
            os.kill(halted, signal.SIGSTOP)  # so the other is the one that answers
            answers.append((requests.get(f"{service.url}/ready", timeout=5), post_transfer(service)))
            os.kill(halted, signal.SIGCONT)
        code, _ = service.stop()

    for ready, transfer in answers:
        assert (ready.status_code, ready.json()["relay"], ready.json()["kafka"]) == (200, "waiting_for_kafka", "down")
        assert transfer.status_code == 201
    assert code == 0
    assert not any(map(is_alive, pids))


def test_when_one_of_several_processes_is_killed_all_end_so_that_all_are_started_again(wallet, database):
    with wallet(HTTP_PROCESSES="2") as service:
        pids = pids_of_two(service)

        os.kill(pids[0], signal.SIGKILL)

        assert service.process.wait(timeout=10) == 1
        assert not any(map(is_alive, pids))


def test_processes_whose_parent_was_killed_end_too(wallet, database):
    with wallet(HTTP_PROCESSES="2") as service:
        pids = pids_of_two(service)

        service.process.kill()

        eventually(lambda: not any(map(is_alive, pids)))


def test_each_of_several_processes_knows_of_the_one_consumer(balances):
    with balances(HTTP_PROCESSES="2") as service:
        pids = pids_of_two(service)
        eventually(lambda: requests.get(f"{service.url}/ready", timeout=5).ok)

        answers = []
        for halted in pids:
            os.kill(halted, signal.SIGSTOP)
            answers.append(requests.get(f"{service.url}/ready", timeout=5))
            os.kill(halted, signal.SIGCONT)

    assert [(ready.status_code, ready.json()["consumer"]) for ready in answers] == [(200, "consuming")] * 2
