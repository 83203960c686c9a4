"""When a service reports that it is ready: its own faults count, an outage of Kafka does not."""

import time
from types import SimpleNamespace

import pytest

import balances.readiness
import wallet.readiness
from common.mysql import DatabaseUnavailable
from common.runner import STUCK_SECONDS


def status(facts, age=0.1):
    return SimpleNamespace(read=lambda: facts, age=lambda: age)


def now():
    return int(time.time() * 1_000_000)


def database(answer=(0, 0)):
    return SimpleNamespace(probe=lambda query: answer)


def wallet_database(**facts):
    facts = {"outbox_rows": 0, "outbox_oldest_seconds": 3.5, "announce_required": False, "clock": now(), **facts}
    return SimpleNamespace(probe=lambda query: facts)


def unavailable():
    def read(query):
        raise DatabaseUnavailable("cannot connect")

    return SimpleNamespace(probe=read)


CONSUMING = {
    "consumer": "consuming",
    "kafka": "up",
    "positioned": True,
    "last_event_at": 1_795_347_740.0,
    "lag": 7,
    "caught_up_at": 1_795_347_740.0,
    "partitions": [
        {"topic": "accounts", "partition": 0, "position": 3, "lag": 0},
        {"topic": "balances", "partition": 0, "position": 9, "lag": 7},
    ],
}
LEADER = {"relay": "leader", "kafka": "up"}
BOTH = pytest.mark.parametrize(
    ("check", "facts", "database"),
    [(balances.readiness.check, CONSUMING, database()), (wallet.readiness.check, LEADER, wallet_database())],
    ids=["balances", "wallet"],
)


@BOTH
def test_ready_when_mysql_answers_and_the_worker_is_alive(check, facts, database):
    code, reported = check(database, status(facts))

    assert (code, reported["status"], reported["mysql"], reported["kafka"]) == (200, "ready", "up", "up")


@BOTH
def test_not_ready_while_mysql_is_unavailable(check, facts, database):
    code, reported = check(unavailable(), status(facts))

    assert (code, reported["status"], reported["mysql"]) == (503, "not ready", "down")


@BOTH
def test_not_ready_when_the_worker_has_reported_nothing_for_half_of_the_watchdogs_limit(check, facts, database):
    code, reported = check(database, status(facts, age=STUCK_SECONDS / 2 + 1))

    assert (code, reported["status"]) == (503, "not ready")
    assert "stuck" in reported.values()


@BOTH
def test_an_outage_of_kafka_is_reported_and_is_no_fault(check, facts, database):
    code, reported = check(database, status({**facts, "kafka": "down"}))

    assert (code, reported["status"], reported["kafka"]) == (200, "ready", "down")


@BOTH
def test_a_worker_that_fails_repeatedly_reports_the_reason(check, facts, database):
    _, reported = check(database, status({**facts, "failing": "a bug"}))

    assert reported["failing"] == "a bug"


def test_balances_is_not_ready_before_it_had_its_first_position():
    code, reported = balances.readiness.check(database(), status({}))

    assert (code, reported["status"], reported["consumer"]) == (503, "not ready", "starting")


def test_balances_reports_the_lag_the_parked_records_and_a_required_announcement():
    _, reported = balances.readiness.check(database(answer=(4, True)), status(CONSUMING))

    assert (reported["lag"], reported["parked"], reported["announce_required"]) == (7, 4, True)
    assert reported["partitions"] == CONSUMING["partitions"]
    assert reported["last_event_seconds"] is not None
    assert reported["caught_up_seconds"] is not None


def test_balances_reports_that_it_can_read_and_not_write():
    code, facts = balances.readiness.check(database(), status({**CONSUMING, "mysql": "read_only"}))

    assert (code, facts["mysql"]) == (200, "read_only")


def test_wallet_reports_how_much_waits_in_the_outbox_for_how_long_and_whether_an_announcement_is_required():
    _, facts = wallet.readiness.check(wallet_database(outbox_rows=12, announce_required=True), status(LEADER))

    assert (facts["outbox_rows"], facts["outbox_oldest_seconds"], facts["announce_required"]) == (12, 3.5, True)
    assert "clock" not in facts


def test_wallet_is_not_ready_while_the_clocks_of_service_and_database_differ():
    three_days = 3 * 86_400 * 1_000_000

    code, facts = wallet.readiness.check(wallet_database(clock=now() + three_days), status(LEADER))

    assert (code, facts["status"]) == (503, "not ready")
    assert "the database's clock is 2592" in facts["failing"]
