"""The settings of a session that the statements rely on, whatever the server's own defaults are."""

LOCK_WAIT_SECONDS = 5
SESSION_WAIT_SECONDS = 28_800  # without a statement; a lock that migrations hold must last while dbmate works

SQL_MODE = (
    "ONLY_FULL_GROUP_BY,STRICT_ALL_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,"
    "ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
)

# Both servers know these. The values are SQL.
_COMMON = {
    "time_zone": "'+00:00'",
    "sql_mode": f"'{SQL_MODE}'",
    "autocommit": "1",
    "completion_type": "0",
    "default_storage_engine": "InnoDB",
    "foreign_key_checks": "1",
    "unique_checks": "1",
    "innodb_lock_wait_timeout": str(LOCK_WAIT_SECONDS),
    "lock_wait_timeout": str(LOCK_WAIT_SECONDS),
    "wait_timeout": str(SESSION_WAIT_SECONDS),
    "sql_safe_updates": "0",
    "sql_big_selects": "1",
    "sql_select_limit": "18446744073709551615",  # DEFAULT would be the server's value
    "sql_auto_is_null": "0",
    "div_precision_increment": "4",
    "lc_messages": "'en_US'",  # only a message has the number of rows that an upsert changed
}
_MYSQL = {"max_execution_time": "0"}
_MARIADB = {"max_statement_time": "0", "check_constraint_checks": "1"}


def statements() -> tuple[str, str]:
    """The first statements of a session, for either server. Each server runs only its own kind of comment."""
    mysql, mariadb = (_assignments(each) for each in (_MYSQL, _MARIADB))
    return (
        f"SET SESSION {_assignments(_COMMON)} /*!50708 , {mysql} */ /*M!100201 , {mariadb} */",
        # A separate statement: the variables of it have other names on MariaDB than on MySQL.
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE",
    )


def dbmate_options(version: str) -> dict[str, str]:
    """The same settings as options of a URL for dbmate, for a server with this VERSION()."""
    mariadb = "MariaDB" in version
    return {
        "charset": "utf8mb4",
        "collation": "utf8mb4_bin",
        **_COMMON,
        **(_MARIADB if mariadb else _MYSQL),
        ("tx_read_only" if mariadb else "transaction_read_only"): "0",
    }


def _assignments(settings: dict[str, str]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in settings.items())
