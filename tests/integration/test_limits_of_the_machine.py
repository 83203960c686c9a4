"""A service on a machine with limits: few open files, a log that nobody reads, IPv6 alone, a port in use."""

import json
import os
import socket
import subprocess
import sys
from contextlib import ExitStack

import pytest
import requests

from common.connections import CONNECTIONS, OTHER_FILES
from common.listening import listen, own_url
from tests.integration.service import NOWHERE, ROOT, Service

pytestmark = pytest.mark.slow

FEW_FILES = 256  # what macOS gives
FILLS_ITS_OUTPUT = """
import os
os.set_blocking(1, False)
try:
    while True:
        os.write(1, bytes(4096))
except BlockingIOError:
    os.set_blocking(1, True)
"""
SERVES_AND_HANGS = """
import logging, threading
from common import runner
from common.log import configure
from common.worker_status import WorkerStatus

def hang(stop):
    {hang}

configure("test")
runner.STOP_SECONDS = 1
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"ok"]
import os
runner.run(lambda first: (app, [runner.Worker("hanging", hang, WorkerStatus())]), "127.0.0.1", int(os.environ["PORT"]))
"""


@pytest.fixture
def wallet(wallet_url, tmp_path):
    def wallet(**options):
        needed = {"DATABASE_URL": wallet_url, "KAFKA_BOOTSTRAP_SERVERS": NOWHERE}
        return Service(["-m", "wallet"], tmp_path / "log", **needed, **options)

    return wallet


def has_ipv6():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


def test_a_taken_port_ends_the_start_with_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(SystemExit) as ended:
            listen("127.0.0.1", port)

    assert str(ended.value).startswith(f"cannot listen on 127.0.0.1:{port}: Address already in use. ")


@pytest.mark.parametrize("host", ["no.such.host.invalid", "999.1.1.1"])
def test_a_host_that_is_no_address_ends_the_start_with_one_line(host):
    with pytest.raises(SystemExit, match=f"^HOST '{host}' is no address"):
        listen(host, 0)


def test_an_address_of_another_machine_ends_the_start_with_one_line():
    with pytest.raises(SystemExit, match=r"^cannot listen on 192\.0\.2\.1:8080: "):
        listen("192.0.2.1", 8080)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8080"),
        ("0.0.0.0", "http://127.0.0.1:8080"),
        ("::", "http://[::1]:8080"),
        ("::1", "http://[::1]:8080"),
        ("[::1]", "http://[::1]:8080"),
        ("localhost", "http://localhost:8080"),
    ],
)
def test_a_service_is_reached_where_it_listens(host, url):
    assert own_url(host, 8080) == url


@needs_ipv6
@pytest.mark.parametrize(
    ("host", "reached"), [("::1", ["[::1]"]), ("[::1]", ["[::1]"]), ("::", ["[::1]", "127.0.0.1"])]
)
def test_a_service_serves_ipv6(wallet, host, reached):
    service = wallet(HOST=host)
    service.url = f"http://[::1]:{service.port}"
    with service:
        answers = [requests.get(f"http://{each}:{service.port}/health", timeout=5) for each in reached]
        environment = {**os.environ, "HOST": host, "PORT": str(service.port)}
        commands = (["-m", "common.healthcheck"], ["-m", "wallet.ops", "status"])
        exit_codes = [
            subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, timeout=20, check=False).returncode
            for command in commands
        ]

    assert all(answer.ok for answer in answers)
    assert exit_codes == [0, 0]
    assert service.lines("serving")[0]["address"].startswith("[::")
    assert service.lines("serving")[0]["address"].endswith(f"]:{service.port}")


@pytest.mark.parametrize(("hard", "connections"), [(FEW_FILES, FEW_FILES - OTHER_FILES), (4096, CONNECTIONS)])
def test_with_few_files_idle_connections_lock_nobody_out_and_fill_no_log(wallet_url, tmp_path, hard, connections):
    start = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({FEW_FILES}, {hard}))"
    options = {"DATABASE_URL": wallet_url, "KAFKA_BOOTSTRAP_SERVERS": NOWHERE}
    service = Service(["-c", f"{start}; from wallet.__main__ import main; main()"], tmp_path / "log", **options)
    with service, ExitStack() as held:
        for _ in range(300):
            held.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=5))

        answer = requests.get(f"{service.url}/accounts", timeout=20)
        code, _ = service.stop()

    assert (answer.status_code, code) == (200, 0)
    assert service.lines("serving")[0]["connections"] == connections
    assert service.log.stat().st_size < 20_000


def test_too_few_files_end_the_start_with_one_line(tmp_path):
    start = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))"
    ended = run(f"{start}; from common.connections import connection_limit; connection_limit()")

    assert ended.returncode == 1
    assert ended.stderr == "the limit of open files is 64; the minimum is 128. Raise it: ulimit -n 1024\n"


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_log_that_nobody_reads_stops_neither_requests_nor_the_end(wallet_url, tmp_path, processes):
    reading, writing = os.pipe()
    options = {"DATABASE_URL": wallet_url, "KAFKA_BOOTSTRAP_SERVERS": NOWHERE, "HTTP_PROCESSES": processes}
    service = Service(["-m", "wallet"], tmp_path / "log", output=writing, **options)
    os.close(writing)
    with service, requests.Session() as session:
        for _ in range(2000):  # about 500 KB of log, and a pipe takes 64
            assert session.get(f"{service.url}/health", timeout=5).ok
        code, seconds = service.stop()
    with open(reading, "rb") as log:
        lines = log.read().splitlines()

    assert (code, seconds < 9) == (0, True)
    assert lines
    assert all(json.loads(line)["service"] == "wallet" for line in lines)


def test_the_number_of_dropped_lines_is_reported_when_somebody_reads_again(wallet_url, tmp_path):
    reading, writing = os.pipe()
    options = {"DATABASE_URL": wallet_url, "KAFKA_BOOTSTRAP_SERVERS": NOWHERE}
    service = Service(["-m", "wallet"], tmp_path / "log", output=writing, **options)
    os.close(writing)
    with service, open(reading, "rb") as log, requests.Session() as session:
        for _ in range(1000):
            session.get(f"{service.url}/health", timeout=5)
        log.read1(1 << 20)

        session.get(f"{service.url}/health", timeout=5)
        report = json.loads(log.readline())

    assert report["message"] == "log lines were dropped"
    assert report["lines"] > 100


def test_the_watchdog_ends_a_process_whose_worker_is_stuck_though_nobody_reads_its_log(tmp_path):
    reading, writing = os.pipe()
    program = SERVES_AND_HANGS.format(hang="runner.STUCK_SECONDS = 1; threading.Event().wait()")
    service = Service(["-c", FILLS_ITS_OUTPUT + program], tmp_path / "log", output=writing)
    os.close(writing)
    with service:
        code = service.process.wait(timeout=20)
    os.close(reading)

    assert code == 1


HANGS = {
    "the log's lock is held": "[handler.acquire() for handler in logging.getLogger().handlers]; stop.wait()",
    "a thread never ends": "threading.Event().wait()",
}


@pytest.mark.parametrize("hang", HANGS.values(), ids=HANGS)
def test_nothing_that_hangs_keeps_the_process_from_ending(tmp_path, hang):
    with Service(["-c", SERVES_AND_HANGS.format(hang=hang)], tmp_path / "log") as service:
        code, seconds = service.stop()

    assert (code, seconds < 9) == (0, True)


def run(program):
    return subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=20, check=False
    )
