"""GET /events of both services and GET /dead-letters: a duplicate, a backlog, an unreadable record."""

import base64
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import closing
from functools import partial
from uuid import uuid4

import pymysql
import pytest
import requests
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient

from balances import projection
from balances.messages import describe, parse
from common.events import consumer
from common.events.consumed import ConsumedEvents
from common.events.consumer import Consumer, Group, Projection
from common.events.recent import RecentEvents
from common.mysql import DatabaseClock
from common.worker_status import WorkerStatus
from tests.eventually import eventually
from tests.integration.consumers import consume, initialize
from tests.integration.service import NOWHERE, ROOT, Service, balances_on
from tests.integration.tables import execute, rows

WALLET, BALANCES = "http://wallet.example:8080", "http://balances.example"
TOKEN = "secret"


@pytest.fixture
def balances(balances_database, balances_url, kafka, topic, tmp_path):
    """Balances in two processes, on a topic of its own."""
    options = {
        "DATABASE_URL": balances_url,
        "KAFKA_BOOTSTRAP_SERVERS": ",".join(kafka["bootstrap_servers"]),
        "KAFKA_GROUP_ID": f"test-{uuid4()}",
        "KAFKA_INSTANCE_ID": str(uuid4()),
        "HTTP_PROCESSES": "2",
        "WALLET_URL": WALLET,
        "BALANCES_URL": BALANCES,
    }
    with Service(balances_on(topic), tmp_path / "log", **options) as service:
        eventually(lambda: requests.get(f"{service.url}/ready", timeout=5).status_code == 200, seconds=30)
        yield service


@pytest.fixture
def wallet(wallet_database, wallet_url, kafka, tmp_path):
    """Wallet in two processes."""
    options = {
        "DATABASE_URL": wallet_url,
        "KAFKA_BOOTSTRAP_SERVERS": ",".join(kafka["bootstrap_servers"]),
        "HTTP_PROCESSES": "2",
    }
    with Service(["-m", "wallet"], tmp_path / "log", **options) as service:
        yield service


def events(service):
    return requests.get(f"{service.url}/events", timeout=5).json()["events"]


def find(service, offset):
    """The record of that offset in the list."""
    return next((each for each in events(service) if each["offset"] == offset), None)


def announce(send, topic, sequence, event_id, account_id="ana"):
    value = b'{"Name":"BalanceAnnounced","Payload":{"account_id":"%b","balance":100}}' % account_id.encode()
    headers = {"sequence": str(sequence), "event_id": event_id, "request_id": "r-1"}
    return send(topic, value, key=b"ana", headers=[(name, text.encode()) for name, text in headers.items()])


def test_a_record_is_applied_and_its_duplicate_is_stale(balances, topic, send):
    for _ in range(2):
        announce(send, topic, 7, "e-1")

    second = eventually(lambda: find(balances, 1))

    first = find(balances, 0)
    assert (first["outcome"], second["outcome"]) == ("applied", "stale")
    assert 0 < first.pop("applied_after_ms") < 60_000
    assert first == {
        "topic": topic,
        "partition": 0,
        "offset": 0,
        "key": "ana",
        "sequence": 7,
        "name": "BalanceAnnounced",
        "accounts": ["ana"],
        "event_id": "e-1",
        "outcome": "applied",
        "reason": None,
        "dead_letter": None,
        "request_id": "r-1",
    }


def test_of_a_backlog_the_last_records_have_the_outcome_of_one_by_one(balances, topic, kafka):
    with closing(KafkaProducer(**kafka, linger_ms=50)) as producer:
        for sequence in [*range(1, 1000), 500, 1000, 999]:
            announce(producer.send, topic, sequence, f"e-{sequence}")
        producer.flush(timeout=20)

    eventually(lambda: find(balances, 1001), seconds=30)

    assert [(each["sequence"], each["outcome"]) for each in events(balances)[:4]] == [
        (999, "stale"),
        (1000, "applied"),
        (500, "stale"),
        (999, "applied"),
    ]
    assert [each["offset"] for each in events(balances)] == list(range(1001, 901, -1))


def test_an_unreadable_record_is_parked_and_can_be_read(balances, topic, send):
    value = b"\xff garbage"
    sent = send(topic, value, key="ação".encode(), headers=[("request_id", b"r-9"), ("raw", b"\xfe")])

    parked = eventually(lambda: find(balances, sent.offset))
    dead_letter = requests.get(balances.url + parked["dead_letter"], timeout=5)
    listed = requests.get(f"{balances.url}/dead-letters", timeout=5).json()

    assert (parked["outcome"], parked["name"], parked["accounts"]) == ("parked", None, [])
    assert parked["request_id"] == "r-9"
    assert "not an event of a known kind" in parked["reason"]
    body = dead_letter.json()
    assert dead_letter.headers["Cache-Control"] == "no-store"
    assert (body["state"], body["offset"], body["reason"]) == ("parked", sent.offset, parked["reason"])
    assert body["key"] == {"encoding": "utf-8", "data": "ação"}
    assert body["value"] == {"encoding": "base64", "data": base64.b64encode(value).decode()}
    assert (body["value_bytes"], body["value_sha256"]) == (len(value), hashlib.sha256(value).hexdigest())
    assert {each["name"]: each["value"] for each in body["headers"]} == {
        "request_id": {"encoding": "utf-8", "data": "r-9"},
        "raw": {"encoding": "base64", "data": "/g=="},
    }
    summary = next(each for each in listed["dead_letters"] if each["id"] == body["id"])
    assert summary == {name: body[name] for name in summary}
    assert listed["next"] is None


def test_what_mysql_refuses_is_parked_and_the_others_keep_their_outcomes(balances_database, kafka, topic, send):
    """MySQL refuses the batch, so each record is applied on its own."""

    def apply(cursor, balances):
        if any(each.account_id == "refused" for each in balances):
            raise pymysql.DataError(1264, "out of range")
        return projection.apply(cursor, balances)

    recent, clock = RecentEvents(), DatabaseClock(balances_database)
    shown = ConsumedEvents(recent, describe, projection.which_change, clock)
    fed = Projection([topic], partial(parse, clock=clock), apply, shown)
    group = Group(f"test-{uuid4()}", str(uuid4()))
    with closing(consumer.create_kafka_consumer(kafka, group)) as client:
        worker = Consumer(client, balances_database, fed, WorkerStatus())
        client.subscribe([topic], listener=worker.assignment)
        initialize(worker)
        for account_id, sequence in [("ana", 7), ("refused", 8), ("ana", 7), ("ana", 9)]:
            announce(send, topic, sequence, "e", account_id)
        consume(worker, 4)

    shown_last = {each["offset"]: (each["outcome"], each["reason"]) for each in json.loads(recent.as_json())}
    assert shown_last == {
        0: ("applied", None),
        1: ("parked", "(1264, 'out of range')"),
        2: ("stale", None),
        3: ("applied", None),
    }


def events_of_each_process(service):
    """The list of each of the two processes."""
    first, second = {line["pid"] for line in service.lines("serving")}
    lists = []
    for halted in (first, second):  # the other one answers
        os.kill(halted, signal.SIGSTOP)
        try:
            lists.append(events(service))
        finally:
            os.kill(halted, signal.SIGCONT)
    return lists


def test_each_process_of_balances_answers_with_the_same_events(balances, topic, send):
    announce(send, topic, 7, "e-1")
    eventually(lambda: find(balances, 0))

    first, second = events_of_each_process(balances)

    assert [each["event_id"] for each in first] == ["e-1"]
    assert second == first


def test_each_process_of_wallet_answers_with_the_same_events(wallet, wallet_database, topic):
    for number in (1, 2):  # in a topic that no running Balances reads
        execute(
            wallet_database,
            "INSERT INTO outbox (topic, message_key, payload, sequence, event_id) VALUES (%s, 'ana', %s, %s, %s)",
            *(topic, '{"Name":"BalanceUpdated","Payload":{}}', number, f"e-{number}"),
        )
    eventually(lambda: find(wallet, 1), seconds=30)

    first, second = events_of_each_process(wallet)

    assert [(each["event_id"], each["topic"], each["offset"]) for each in first] == [
        ("e-2", topic, 1),
        ("e-1", topic, 0),
    ]
    assert second == first


def test_the_events_have_the_links_of_the_pages_and_wallets_page_may_read_them(balances):
    def ask(origin):
        return requests.get(f"{balances.url}/events", headers={"Origin": origin}, timeout=5)

    assert ask(WALLET).json()["links"] == {"wallet": WALLET, "balances": BALANCES}
    assert ask(WALLET).headers["Access-Control-Allow-Origin"] == WALLET
    assert "Access-Control-Allow-Origin" not in ask(f"{WALLET}0").headers


def test_with_a_token_events_and_dead_letters_require_it(wallet_url, balances_url, tmp_path):
    for name, url, paths in [
        ("wallet", wallet_url, ["/events"]),
        ("balances", balances_url, ["/events", "/dead-letters", "/dead-letters/1"]),
    ]:
        environment = {"DATABASE_URL": url, "KAFKA_BOOTSTRAP_SERVERS": NOWHERE, f"{name.upper()}_TOKEN": TOKEN}
        with Service(["-m", name], tmp_path / f"{name}.log", **environment) as service:
            authorization = {"Authorization": f"Bearer {TOKEN}"}
            assert [requests.get(service.url + path, timeout=5).status_code for path in paths] == [401] * len(paths)
            assert requests.get(f"{service.url}/events", headers=authorization, timeout=5).json()["events"] == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/dead-letters/x", 400),
        ("/dead-letters/-1", 400),
        ("/dead-letters/1000000000000000000", 400),
        ("/dead-letters/999999999999999999", 404),
        ("/dead-letters?after=x", 400),
        ("/dead-letters?limit=0", 400),
    ],
)
def test_a_dead_letter_that_cannot_be_is_refused(balances_url, balances_database, path, status, client_of):
    assert client_of(balances_url)(path).status_code == status


@pytest.fixture(scope="module")
def client_of(tmp_path_factory):
    """Asks a Balances without Kafka, which is started once."""
    started = {}

    def client(url):
        if url not in started:
            log = tmp_path_factory.mktemp("events") / "log"
            service = Service(["-m", "balances"], log, DATABASE_URL=url, KAFKA_BOOTSTRAP_SERVERS=NOWHERE)
            started[url] = service.__enter__()
        return lambda path: requests.get(started[url].url + path, timeout=5)

    yield client
    for service in started.values():
        service.__exit__()


def test_dead_letters_are_listed_newest_first_in_parts_without_their_content(
    balances_url, balances_database, client_of
):
    for number in range(3):
        execute(
            balances_database,
            "INSERT INTO dead_letters"
            " (topic_id, topic, partition_id, record_offset, record_value, record_headers, error)"
            " VALUES ('', 'balances', 0, %s, 'four', '[]', 'reason')",
            number,
        )
    execute(balances_database, "UPDATE dead_letters SET state = 'discarded' WHERE record_offset = 1")
    ask = client_of(balances_url)

    first = ask("/dead-letters?limit=1").json()
    second = ask(f"/dead-letters?limit=1&after={first['next']}").json()
    last = ask(f"/dead-letters?limit=1&after={second['next']}").json()

    (summary,) = first["dead_letters"]
    assert "value" not in summary
    assert (summary["value_bytes"], summary["complete"]) == (4, True)
    assert [each["offset"] for each in first["dead_letters"] + second["dead_letters"]] == [2, 0]
    assert last == {"dead_letters": [], "next": None}
    ((discarded,),) = rows(balances_database, "SELECT id FROM dead_letters WHERE record_offset = 1")
    body = ask(f"/dead-letters/{discarded}").json()
    assert (body["state"], body["decided_at"], body["value"]) == (
        "discarded",
        None,
        {"encoding": "utf-8", "data": "four"},
    )


# ---- the command


def command(kafka, *arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "balances.ops", "events", *arguments],
        cwd=ROOT,
        env={**os.environ, "KAFKA_BOOTSTRAP_SERVERS": ",".join(kafka["bootstrap_servers"])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Where the tests run in the background of a shell, SIGINT is ignored, and would be here too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        **options,
    )


def printed(kafka, *arguments):
    process = command(kafka, *arguments)
    output, errors = process.communicate(timeout=50)
    return process.returncode, output.splitlines(), errors.splitlines()


def test_the_command_prints_the_last_records_of_each_partition(kafka, make_topic, send):
    topic = make_topic(2)
    for partition in (0, 1):
        for number in range(3):
            send(topic, b"%d" % number, partition=partition, headers=[("n", b"%d" % number)])

    code, lines, errors = printed(kafka, "--topic", topic, "--limit", "2")

    assert (code, errors) == (0, [])
    assert sorted(lines) == [f"{topic}[{p}]@{n} key=null n={n} {n}" for p in (0, 1) for n in (1, 2)]


def test_the_command_shows_control_characters_and_bytes_without_executing_them(kafka, topic, send):
    send(topic, b"\x1b[2J\xff\n", key="ação".encode(), headers=[("a\nb", b"\x00")])

    _, (line,), _ = printed(kafka, "--topic", topic)
    _, (encoded,), _ = printed(kafka, "--topic", topic, "--json")

    assert line == rf"{topic}[0]@0 key=ação a\nb=\x00 \x1b[2J\xff\n"
    body = json.loads(encoded)
    assert (body["topic"], body["partition"], body["offset"]) == (topic, 0, 0)
    assert body["key"] == {"encoding": "utf-8", "data": "ação"}
    assert body["value"] == {"encoding": "base64", "data": base64.b64encode(b"\x1b[2J\xff\n").decode()}
    assert body["headers"] == [{"name": "a\nb", "value": {"encoding": "utf-8", "data": "\x00"}}]


def test_the_command_follows_without_a_group_until_ctrl_c(kafka, topic, send):
    with closing(KafkaAdminClient(**kafka)) as admin:
        groups = {each["group_id"] for each in admin.list_groups()}
        with command(kafka, "--follow", "--topic", topic, "--limit", "0") as process:
            watchdog = threading.Timer(40, process.kill)
            watchdog.start()
            number = 0
            found = []
            reader = threading.Thread(target=lambda: found.append(process.stdout.readline()), daemon=True)
            reader.start()
            while not found:  # a record that was sent before the command began to follow is not printed
                send(topic, b"%d" % number)
                number += 1
                reader.join(timeout=0.2)
            assert {each["group_id"] for each in admin.list_groups()} <= groups
            process.send_signal(signal.SIGINT)
            errors = process.stderr.read()
            assert (process.wait(timeout=20), errors) == (0, "")
            watchdog.cancel()
    assert found[0].startswith(f"{topic}[0]@")


def test_the_command_reports_a_topic_that_does_not_exist(kafka):
    code, lines, errors = printed(kafka, "--topic", "no-such-topic")

    assert (code, lines) == (1, [])
    assert errors == ["topic no-such-topic does not exist or may not be read; see --topic"]


def test_the_command_reports_an_unavailable_broker_in_one_line():
    code, lines, errors = printed({"bootstrap_servers": [NOWHERE]})

    assert (code, lines) == (1, [])
    (line,) = [each for each in errors if not each.startswith("{")]
    assert line.startswith(f"Kafka at {NOWHERE} is unavailable: ")
