"""Announce and reconcile: the balances of Wallet repair a read model, and show whether the read model is consistent."""

import json
import random
import signal
import subprocess
import sys
import threading
from decimal import Decimal

import pytest
import requests

from common.mysql import CLOCK
from tests.eventually import eventually
from tests.integration.pipeline import pipeline as build_pipeline
from tests.integration.service import ROOT, run_command
from tests.integration.tables import execute, rows, value
from wallet.announce import OUTBOX_ROWS, announce_accounts

pytestmark = pytest.mark.slow

UNUSED_URL = "http://127.0.0.1:1"


@pytest.fixture
def pipeline(wallet_database, balances_database, kafka, make_topic):
    with build_pipeline(wallet_database, balances_database, kafka, make_topic) as pipeline:
        eventually(lambda: requests.get(f"{pipeline.balances_url}/ready", timeout=5).ok, seconds=20)
        yield pipeline


def open_accounts(database, balances):
    """Accounts of which the wallet has announced nothing."""
    execute(database, "INSERT IGNORE INTO clients (id, name, email) VALUES ('ana', 'Ana', 'ana@example.com')")
    with database.transaction() as cursor:
        cursor.executemany(
            "INSERT INTO accounts (id, client_id, balance) VALUES (%s, 'ana', %s)", list(balances.items())
        )


def announcements_in(database):
    """{account id: balance} in the order of the outbox."""
    payloads = [json.loads(payload) for (payload,) in rows(database, "SELECT payload FROM outbox ORDER BY id")]
    assert {each["Name"] for each in payloads} <= {"BalanceAnnounced"}
    return {each["Payload"]["account_id"]: each["Payload"]["balance"] for each in payloads}


def reconcile(pipeline, url, *arguments):
    where = ("--wallet-url", pipeline.wallet_url, "--balances-url", pipeline.balances_url)
    return run_command("balances", url, "reconcile", *where, *arguments)


def test_every_balance_is_announced_in_the_order_of_the_ids(wallet_url, wallet_database):
    balances = {f"account-{number:03}": number + 0.5 for number in range(250)}
    open_accounts(wallet_database, balances)

    done = run_command("wallet", wallet_url, "announce")

    assert done.returncode == 0, done.stderr
    assert "250 accounts announced" in done.stdout
    assert list(announcements_in(wallet_database).items()) == list(balances.items())


def test_only_the_accounts_asked_for_are_announced_each_once(wallet_url, wallet_database):
    open_accounts(wallet_database, {"a": 1, "b": 2, "c": 3})

    done = run_command("wallet", wallet_url, "announce", "c", "a", "c")

    assert "2 accounts announced" in done.stdout
    assert announcements_in(wallet_database) == {"a": 1, "c": 3}
    assert value(wallet_database, "SELECT COUNT(*) FROM outbox") == 2


def test_an_unknown_account_is_named_and_nothing_is_announced(wallet_url, wallet_database):
    open_accounts(wallet_database, {"a": 1})

    done = run_command("wallet", wallet_url, "announce", "a", "nobody")

    assert done.returncode == 1
    assert "account nobody not found; nothing was announced" in done.stderr
    assert announcements_in(wallet_database) == {}


def test_an_announcement_continues_after_the_account_where_the_last_one_stopped(wallet_url, wallet_database):
    open_accounts(wallet_database, {"a": 1, "b": 2, "c": 3})

    run_command("wallet", wallet_url, "announce", "--after", "b")

    assert announcements_in(wallet_database) == {"c": 3}


def test_an_announcement_waits_for_the_relay_and_prints_how_to_continue_after_a_stop(wallet_url, wallet_database):
    open_accounts(wallet_database, {f"account-{number:05}": 1 for number in range(OUTBOX_ROWS + 500)})

    with subprocess.Popen(
        [sys.executable, "-m", "wallet.ops", "announce"],
        cwd=ROOT,
        env={"PATH": "", "DATABASE_URL": wallet_url},
        stdout=subprocess.PIPE,
        text=True,
    ) as announcing:
        waiting = next(line for line in announcing.stdout if "waiting for the relay of the wallet" in line)
        announcing.send_signal(signal.SIGINT)
        last_words = announcing.stdout.read().splitlines()

    assert waiting.startswith(f"the outbox has {OUTBOX_ROWS} rows")
    assert value(wallet_database, "SELECT COUNT(*) FROM outbox") == OUTBOX_ROWS
    assert announcing.returncode == 130
    assert last_words == [
        last_words[0],
        f"continue with: entrypoint.sh wallet announce --after account-{OUTBOX_ROWS - 1:05}",
    ]
    assert last_words[0].startswith(f"{OUTBOX_ROWS} accounts announced")


def test_an_announcement_waits_for_the_transfer_that_locks_the_account(wallet_database):
    open_accounts(wallet_database, {"a": 1})
    announcing = threading.Thread(target=lambda: list(announce_accounts(wallet_database, ["a"], "", print)))

    with wallet_database.transaction() as cursor:
        cursor.execute("UPDATE accounts SET balance = 2 WHERE id = 'a'")
        announcing.start()
        announcing.join(timeout=0.5)
        waited = announcing.is_alive()
    announcing.join(timeout=10)

    assert waited
    assert announcements_in(wallet_database) == {"a": 2}


def test_an_announcement_of_a_restored_wallet_is_newer_than_all_before(wallet_url, wallet_database):
    open_accounts(wallet_database, {"a": 1})
    before = value(wallet_database, f"SELECT {CLOCK}")
    execute(wallet_database, "UPDATE accounts SET sequence = 7")  # as in a dump from long ago

    run_command("wallet", wallet_url, "announce")

    assert value(wallet_database, "SELECT sequence FROM outbox") > before
    assert value(wallet_database, "SELECT sequence FROM accounts") > before


def test_sequences_ahead_of_the_clock_are_refused_until_they_are_reset(
    wallet_url, wallet_database, balances_url, balances_database, pipeline
):
    open_accounts(wallet_database, {"a": 10, "b": 0})
    run_command("wallet", wallet_url, "announce")
    eventually(lambda: value(balances_database, "SELECT COUNT(*) FROM balances") == 2)
    for database, table in ((wallet_database, "accounts"), (balances_database, "balances")):
        execute(database, f"UPDATE {table} SET sequence = sequence + 3 * 86400000000")  # a clock three days ahead

    def post():
        body = {"account_id_from": "a", "account_id_to": "b", "amount": 1}
        return requests.post(f"{pipeline.wallet_url}/transactions", json=body, timeout=10)

    refused, stopped = post(), run_command("wallet", wallet_url, "announce")
    reset = [
        run_command("wallet", wallet_url, "reset-sequences").stdout,
        run_command("balances", balances_url, "reset-sequences").stdout,
    ]
    done = post()
    run_command("wallet", wallet_url, "announce")
    checked = reconcile(pipeline, balances_url)

    assert (refused.status_code, done.status_code) == (503, 201)
    assert "reset-sequences" in refused.json()["detail"]
    assert stopped.returncode == 1
    assert "stopped: the sequence of account a is ahead of the clock" in stopped.stdout
    assert [line.split()[:3] for line in reset] == [["accounts:", "2", "sequences"], ["balances:", "2", "sequences"]]
    assert checked.stdout.splitlines()[-1] == "consistent"


def test_after_a_change_of_server_an_announcement_of_all_accounts_is_required(wallet_url, wallet_database, pipeline):
    open_accounts(wallet_database, {"a": 10})
    execute(wallet_database, "INSERT INTO known_server (server, changed_at) VALUES ('new', UTC_TIMESTAMP(6))")

    def required():
        return requests.get(f"{pipeline.wallet_url}/ready", timeout=5).json()["announce_required"]

    at_first = required()
    run_command("wallet", wallet_url, "announce", "a")
    after_one = required()
    run_command("wallet", wallet_url, "announce")

    assert (at_first, after_one, required()) == (True, True, False)


def test_an_emptied_read_model_fills_again_while_transfers_run(
    wallet_url, wallet_database, balances_url, balances_database, pipeline
):
    ids = [f"account-{number:03}" for number in range(300)]
    open_accounts(wallet_database, dict.fromkeys(ids, 1000))
    run_command("wallet", wallet_url, "announce")
    eventually(lambda: value(balances_database, "SELECT COUNT(*) FROM balances") == len(ids), seconds=20)
    busy = Busy(transfers=(pipeline.wallet_url, ids), reads=(pipeline.balances_url, ids))

    with busy:
        execute(balances_database, "DELETE FROM balances")
        announcing = run_command("wallet", wallet_url, "announce")
        eventually(lambda: value(balances_database, "SELECT COUNT(*) FROM balances") == len(ids), seconds=20)
        during = reconcile(pipeline, balances_url)
        so_many = len(busy.posts)
        eventually(lambda: len(busy.posts) > so_many)  # transfers did go on
    afterwards = reconcile(pipeline, balances_url)

    assert "300 accounts announced" in announcing.stdout
    assert (during.returncode, during.stdout.splitlines()[-1]) == (0, "consistent")
    assert afterwards.stdout.splitlines() == ["compared 300 accounts of Wallet with 300 balances", "consistent"]
    assert set(busy.posts) == {201}
    assert set(busy.gets) == {200, 404}  # 404 until the account was announced again
    assert value(wallet_database, "SELECT SUM(balance) FROM accounts") == 300 * 1000


def test_what_is_inconsistent_is_listed_and_an_announcement_repairs_the_read_model(
    wallet_url, wallet_database, balances_url, balances_database, pipeline
):
    open_accounts(wallet_database, {"differs": 1, "missing": 2, "equal": 3.5})
    run_command("wallet", wallet_url, "announce")
    eventually(lambda: value(balances_database, "SELECT COUNT(*) FROM balances") == 3)
    execute(balances_database, "UPDATE balances SET balance = 0.99 WHERE account_id = 'differs'")
    execute(balances_database, "UPDATE balances SET account_id = 'unexpected' WHERE account_id = 'missing'")
    execute(balances_database, "UPDATE consumer_offsets SET history_gone_at = UTC_TIMESTAMP(6)")

    found = reconcile(pipeline, balances_url)
    needed = requests.get(f"{pipeline.balances_url}/ready", timeout=5).json()["announce_required"]
    run_command("wallet", wallet_url, "announce", "differs", "missing")
    execute(balances_database, "DELETE FROM balances WHERE account_id = 'unexpected'")
    eventually(lambda: value(balances_database, "SELECT COUNT(*) FROM balances") == 3)
    repaired = reconcile(pipeline, balances_url, "--json")

    assert found.returncode == 1
    assert found.stdout.splitlines() == [
        "inconsistent: differs: differs: Wallet has 1, Balances has 0.99",
        "inconsistent: missing: missing: Wallet has 2, Balances has no such account",
        "inconsistent: unexpected: unexpected account: Wallet has no such account, Balances has 2",
        "compared 3 accounts of Wallet with 3 balances",
        "inconsistent",
    ]
    assert needed
    assert repaired.returncode == 0
    assert json.loads(repaired.stdout)["verdict"] == "consistent"


def test_a_data_loss_is_cleared_if_all_balances_are_consistent(balances_url, balances_database, pipeline):
    execute(balances_database, "UPDATE consumer_offsets SET history_gone_at = UTC_TIMESTAMP(6)")

    without_database = reconcile(pipeline, "", "--json")
    checked = reconcile(pipeline, balances_url, "--json")

    assert [json.loads(each.stdout)["announce_required"] for each in (without_database, checked)] == [True, False]
    assert [each.returncode for each in (without_database, checked)] == [0, 0]
    assert "set DATABASE_URL" in without_database.stderr
    assert not requests.get(f"{pipeline.balances_url}/ready", timeout=5).json()["announce_required"]


def test_a_data_loss_while_reconcile_runs_is_not_cleared(balances_url, balances_database, pipeline):
    # After the beginning of `reconcile`, and not so late that only a wrong clock can have written it.
    execute(balances_database, "UPDATE consumer_offsets SET history_gone_at = UTC_TIMESTAMP(6) + INTERVAL 30 SECOND")

    checked = reconcile(pipeline, balances_url, "--json")

    assert json.loads(checked.stdout)["verdict"] == "consistent"
    assert json.loads(checked.stdout)["announce_required"]


def test_without_a_response_the_verdict_is_unknown(balances_url, pipeline):
    unavailable = run_command(
        "balances", balances_url, "reconcile", "--wallet-url", UNUSED_URL, "--balances-url", pipeline.balances_url
    )
    mistaken = run_command(
        "balances",
        balances_url,
        "reconcile",
        "--wallet-url",
        pipeline.balances_url,
        "--balances-url",
        pipeline.balances_url,
    )
    unable = reconcile(pipeline, "mysql://balances:wrong@127.0.0.1:1/balances", "--json")

    assert [each.returncode for each in (unavailable, mistaken, unable)] == [2, 2, 2]
    assert unavailable.stdout.startswith(f"unknown: {UNUSED_URL}/accounts")
    assert "/accounts: status 404" in mistaken.stdout
    assert json.loads(unable.stdout)["verdict"] == "unknown"  # MySQL of Balances is unavailable


def test_the_tokens_are_sent(monkeypatch, balances_url, wallet_database, balances_database, kafka, make_topic):
    with build_pipeline(wallet_database, balances_database, kafka, make_topic, token="open sesame") as guarded:
        eventually(lambda: requests.get(f"{guarded.balances_url}/ready", timeout=5).ok, seconds=20)

        refused = reconcile(guarded, balances_url)
        monkeypatch.setenv("WALLET_TOKEN", "open sesame")
        monkeypatch.setenv("BALANCES_TOKEN", "open sesame")
        accepted = reconcile(guarded, balances_url)

    assert (refused.returncode, accepted.returncode) == (2, 0)
    assert "status 401; set WALLET_TOKEN and BALANCES_TOKEN" in refused.stdout


class Busy:
    """Clients that transfer and clients that read, until the block ends; the statuses of their responses."""

    def __init__(self, transfers, reads):
        self.posts, self.gets = [], []
        self._stop = threading.Event()
        self._threads = [
            *(threading.Thread(target=self._transfer, args=(*transfers, seed)) for seed in range(2)),
            threading.Thread(target=self._read, args=reads),
        ]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=10)

    def _transfer(self, url, ids, seed):
        chance, client = random.Random(seed), requests.Session()
        while not self._stop.is_set():
            source, target = chance.sample(ids, 2)
            body = {"account_id_from": source, "account_id_to": target, "amount": float(Decimal("0.01"))}
            self.posts.append(client.post(f"{url}/transactions", json=body, timeout=10).status_code)
            self._stop.wait(0.01)

    def _read(self, url, ids):
        chance, client = random.Random(3), requests.Session()
        while not self._stop.is_set():
            self.gets.append(client.get(f"{url}/balances/{chance.choice(ids)}", timeout=10).status_code)
