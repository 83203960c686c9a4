"""What of MySQL's module needs no MySQL: its URLs, what its errors mean, and what is tried again."""

import pymysql
import pytest

from common.environment import Misconfigured
from common.mysql import CONFLICT_TRIES, Conflict, Database, DatabaseUnavailable, repeat_on_conflict
from common.mysql_errors import translated


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("mysql://wallet:wallet@127.0.0.1:3306/wallet", "wallet"),
        ("mysql://wallet:p%40ss%2Fword@mysql/wallet%5Ftest", "wallet_test"),
        ("mysql://mysql/wallet/", "wallet"),
    ],
)
def test_a_database_is_named_by_its_url_and_nothing_connects(url, name):
    assert Database(url).name == name


@pytest.mark.parametrize(
    "url",
    [
        "",
        "wallet",
        "postgres://user:secret@host/wallet",
        "mysql://user:secret@host",
        "mysql://user:secret@host/",
        "mysql://user:secret@/wallet",
        "mysql://user:sec/ret@host:3306/wallet",
        "mysql://user:secret@host:port/wallet",
    ],
)
def test_a_url_of_another_form_is_refused_without_its_password(url):
    with pytest.raises(Misconfigured, match="has the form mysql://user:password@host:port/database") as refusal:
        Database(url)

    assert "sec" not in str(refusal.value)


@pytest.mark.parametrize("code", [1213, 1205, 3572])
def test_a_deadlock_and_a_lock_wait_are_conflicts(code):
    assert isinstance(translated(pymysql.OperationalError(code, "…")), Conflict)


@pytest.mark.parametrize(
    "error",
    [
        pymysql.OperationalError(2003, "cannot connect"),
        pymysql.OperationalError(2006, "gone away"),
        pymysql.OperationalError(2013, "lost during the query"),
        pymysql.OperationalError(1053, "shutdown in progress"),
        pymysql.OperationalError(1290, "read-only"),
        pymysql.OperationalError(1040, "too many connections"),
        pymysql.OperationalError(1792, "read-only transaction"),
        pymysql.OperationalError(1836, "read-only mode"),
        pymysql.OperationalError(1047, "the node of the cluster is not ready"),
        pymysql.OperationalError(3032, "offline mode"),
        pymysql.InterfaceError(0, ""),
        pymysql.InternalError("Packet sequence number wrong - got 2 expected 1"),
    ],
)
def test_what_is_the_servers_own_trouble_means_that_it_is_unavailable(error):
    assert isinstance(translated(error), DatabaseUnavailable)


@pytest.mark.parametrize(
    "error",
    [
        pymysql.OperationalError(3819, "check constraint"),
        pymysql.OperationalError(4025, "check constraint, as MariaDB says it"),
        pymysql.IntegrityError(1062, "duplicate"),
        pymysql.DataError(1406, "too long"),
        pymysql.ProgrammingError(1064, "syntax"),
        pymysql.OperationalError(1054, "unknown column"),
        pymysql.OperationalError(1142, "denied"),
        pymysql.OperationalError(1364, "no default value"),
        pymysql.OperationalError(1136, "column count"),
        pymysql.OperationalError(1153, "packet too large"),
        TimeoutError(),
        KeyError("a bug"),
    ],
)
def test_what_the_statement_is_to_blame_for_stays_what_it_is(error):
    assert translated(error) is error


def work_that_meets(conflicts):
    """Work that gives "done" after so many conflicts, and the list of its calls."""
    calls = []

    def work():
        calls.append(1)
        if len(calls) <= conflicts:
            raise Conflict("another transaction was in the way")
        return "done"

    return work, calls


@pytest.mark.parametrize("conflicts", [0, 1, CONFLICT_TRIES - 1])
def test_work_is_repeated_until_nobody_is_in_its_way(conflicts):
    work, calls = work_that_meets(conflicts)

    assert repeat_on_conflict(work) == "done"
    assert len(calls) == conflicts + 1


def test_work_is_not_repeated_for_ever():
    work, calls = work_that_meets(conflicts=1000)

    with pytest.raises(Conflict):
        repeat_on_conflict(work)

    assert len(calls) == CONFLICT_TRIES


def test_only_a_conflict_is_a_reason_to_repeat():
    calls = []

    def work():
        calls.append(1)
        raise DatabaseUnavailable("the COMMIT may have been heard")

    with pytest.raises(DatabaseUnavailable):
        repeat_on_conflict(work)

    assert len(calls) == 1
