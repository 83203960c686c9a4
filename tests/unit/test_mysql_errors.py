"""What each error of MySQL and MariaDB means to a service, by the number that the server gives."""

from typing import Any

import pymysql
import pytest

from common.mysql.errors import CONFLICTS, OUTAGES, Conflict, DatabaseUnavailable, translated

# The numbers that MySQL 9.7 and MariaDB 10.11 gave in each situation; None where the server has no such situation.
# Provoked by tests/integration/test_mysql_errors.py, or by hand where that takes a full disk or a cluster (by hand: *).
PROVOKED = [
    ("deadlock", 1213, 1213, Conflict),
    ("row is locked for longer than innodb_lock_wait_timeout", 1205, 1205, Conflict),
    ("row is locked, and NOWAIT", 3572, 1205, Conflict),
    ("table is locked (LOCK TABLES, FLUSH TABLES WITH READ LOCK)", 1205, 1205, Conflict),
    ("row has changed since it was read (innodb_snapshot_isolation)", None, 1020, Conflict),
    ("read_only", 1290, 1290, DatabaseUnavailable),
    ("read_only was set between a statement and its COMMIT", 1290, 1290, DatabaseUnavailable),
    ("super_read_only", 1290, None, DatabaseUnavailable),
    ("binlog_format = STATEMENT, which READ COMMITTED does not allow", 1665, 1665, DatabaseUnavailable),
    ("transaction is read-only", 1792, 1792, DatabaseUnavailable),
    ("schema is read-only", 3989, None, DatabaseUnavailable),
    ("innodb_read_only *", 1015, 1036, DatabaseUnavailable),
    ("innodb_force_recovery *", 1036, 1036, DatabaseUnavailable),
    ("node of a cluster without quorum, or that rejects queries *", None, 1047, DatabaseUnavailable),
    ("offline_mode, new connection", 3032, None, DatabaseUnavailable),
    ("offline_mode, open connection", 2013, None, DatabaseUnavailable),
    ("shutdown during a statement", 1053, 2013, DatabaseUnavailable),
    ("nobody listens", 2003, 2003, DatabaseUnavailable),
    ("KILL during a statement", 2013, 2013, DatabaseUnavailable),
    ("KILL QUERY", 1317, 1317, DatabaseUnavailable),
    ("statement takes longer than the server allows", 3024, 1969, DatabaseUnavailable),
    ("too many connections", 1040, 1040, DatabaseUnavailable),
    ("too many connections of a user", 1226, 1226, DatabaseUnavailable),
    ("too many statements of a user", 1226, 1226, DatabaseUnavailable),
    ("group replication: another member was faster *", 3101, None, Conflict),
    ("table is full", 1114, 1114, DatabaseUnavailable),
    ("disk is full, CREATE TABLE *", 3675, None, DatabaseUnavailable),
    ("disk is full, INSERT (MariaDB ends itself) *", 1114, 2013, DatabaseUnavailable),
    ("unknown column", 1054, 1054, None),
    ("no such table", 1146, 1146, None),
    ("syntax", 1064, 1064, None),
    ("privilege of a table is missing", 1142, 1142, None),
    ("privilege of the server is missing", 1227, 1227, None),
    ("unknown variable", 1193, 1193, None),
    ("column without a value", 1364, 1364, None),
    ("more columns than values", 1136, 1136, None),
    ("duplicate key", 1062, 1062, None),
    ("value too long", 1406, 1406, None),
    ("value out of range", 1264, 1264, None),
    ("value of another type", 1366, 1366, None),
    ("NULL", 1048, 1048, None),
    ("CHECK", 3819, 4025, None),
    ("row that is referred to is missing", 1452, 1452, None),
    ("row is referred to", 1451, 1451, None),
    ("arithmetic beyond BIGINT", 1690, 1690, None),
    ("packet too large", 1153, 1153, None),
    ("write set of a cluster too large *", None, 1105, None),
    # At the connection; Database.connect calls each of them an outage, with this as its cause.
    ("wrong password, user is gone", 1045, 1045, None),
    ("account is locked", 3118, 4151, None),
    ("password has expired", 1862, 1820, None),
    ("no privilege of the database", 1044, 1044, None),
    ("no such database", 1049, 1049, None),
]
# Not provoked.
LISTED = [
    ("deadlock of a distributed transaction", 1614, Conflict),
    ("group replication: no majority", 3100, DatabaseUnavailable),
    ("read-only mode", 1836, DatabaseUnavailable),
    ("error during COMMIT", 1180, DatabaseUnavailable),
    ("connection was killed (MariaDB)", 1927, DatabaseUnavailable),
    ("idle connection was ended", 4031, DatabaseUnavailable),
    ("connection lost between two statements", 2006, DatabaseUnavailable),
]
CODES = {(code, expected) for _, *codes, expected in [*PROVOKED, *LISTED] for code in codes if code is not None}


def raised_as(code: int) -> Any:
    """The exception that PyMySQL raises for this number of a server."""
    with pytest.raises(pymysql.MySQLError) as raised:
        pymysql.err.raise_mysql_exception(b"\xff" + code.to_bytes(2, "little") + b"#HY000as the server reports it")
    return raised.value


@pytest.mark.parametrize(("code", "expected"), sorted(CODES, key=str))
def test_a_number_means_an_outage_a_conflict_or_a_fault_of_the_statement(code: int, expected: type | None) -> None:
    error = raised_as(code)

    own = translated(error)

    assert (own is error) if expected is None else (type(own) is expected)


def test_no_number_is_both_a_conflict_and_an_outage() -> None:
    assert not CONFLICTS & OUTAGES


@pytest.mark.parametrize(
    "error",
    [
        pymysql.InterfaceError(0, ""),  # a connection that is closed
        pymysql.InternalError("Packet sequence number wrong - got 2 expected 1"),
        pymysql.InternalError(3, "Error writing file 'binlog.000001' (OS errno 28 - No space left on device)"),
    ],
)
def test_what_is_wrong_with_a_connection_or_a_file_is_an_outage(error: pymysql.MySQLError) -> None:
    assert type(translated(error)) is DatabaseUnavailable


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("149 - 'Lock deadlock; Retry transaction'", Conflict),  # of group replication, by hand
        ("28 - 'No space left on device'", DatabaseUnavailable),
    ],
)
def test_an_error_during_commit_is_a_conflict_only_if_its_reason_is_a_deadlock(reason: str, expected: type) -> None:
    error = pymysql.OperationalError(1180, f"Got error {reason} during COMMIT")

    assert type(translated(error)) is expected


@pytest.mark.parametrize("error", [TimeoutError(), KeyError("a bug")])
def test_an_error_of_another_kind_stays_what_it_is(error: Exception) -> None:
    assert translated(error) is error
