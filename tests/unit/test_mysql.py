"""The parts of common.mysql that need no server: its URLs, and what is retried."""

import pytest

from common.environment import ConfigurationError
from common.mysql import CONFLICT_TRIES, Conflict, Database, DatabaseUnavailable, repeat_on_conflict


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
        "mysql://user:secret%FF@host/wallet",
    ],
)
def test_a_url_of_another_form_is_refused_without_its_password(url):
    with pytest.raises(ConfigurationError, match="has the form mysql://user:password@host:port/database") as refusal:
        Database(url)

    assert "sec" not in str(refusal.value)


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


def test_work_that_waits_long_for_a_lock_is_repeated_once_after_the_time_limit():
    work, calls = work_that_meets(conflicts=1000)

    with pytest.raises(Conflict):
        repeat_on_conflict(work, seconds=0)

    assert len(calls) == 2


def test_only_a_conflict_is_a_reason_to_repeat():
    calls = []

    def work():
        calls.append(1)
        raise DatabaseUnavailable("the COMMIT may have taken effect")

    with pytest.raises(DatabaseUnavailable):
        repeat_on_conflict(work)

    assert len(calls) == 1
