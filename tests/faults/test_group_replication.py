"""Transactions on two primaries of a MySQL Group Replication: a packet of several statements is atomic there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.database_server import MySQLContainer
from tests.eventually import eventually
from tests.faults.pairs import check_pairs
from tests.integration.service import free_port

JOIN_SECONDS = 60
GROUP = "5c1d2a34-7a39-4d0b-9a0e-3f5f0f1d9b77"

pytestmark = pytest.mark.timeout(240, func_only=True)


@pytest.fixture
def members(system_to_break: None, tmp_path: Path) -> Iterator[list[MySQLContainer]]:
    if reason := MySQLContainer.missing():
        pytest.skip(reason)
    addresses = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    members = [_member(tmp_path / f"member-{number}", number, addresses) for number in (1, 2)]
    try:
        for member in members:
            member.start()
        _form_group(members)
        yield members
    finally:
        for member in members:
            member.kill()


def test_a_transaction_that_another_member_rolls_back_is_committed_completely_or_not_at_all(
    members: list[MySQLContainer],
) -> None:
    check_pairs([member.port for member in members])


def _member(folder: Path, number: int, addresses: list[str]) -> MySQLContainer:
    settings = {
        "group_name": GROUP,
        "start_on_boot": "OFF",
        "local_address": addresses[number - 1],
        "group_seeds": ",".join(addresses),
        "single_primary_mode": "OFF",
        "enforce_update_everywhere_checks": "ON",
        "ip_allowlist": "127.0.0.1/8",
        "recovery_get_public_key": "ON",
    }
    port = free_port()
    options = [
        *(f"--server-id={number}", "--gtid-mode=ON", "--enforce-gtid-consistency=ON", "--performance-schema=ON"),
        *("--report-host=127.0.0.1", f"--report-port={port}", "--plugin-load-add=group_replication.so"),
        *(f"--loose-group-replication-{name.replace('_', '-')}={value}" for name, value in settings.items()),
    ]
    return MySQLContainer(folder, options, port)


def _form_group(members: list[MySQLContainer]) -> None:
    first, second = members
    for member in members:
        member.execute(
            "CREATE USER replica@'%' IDENTIFIED BY 'replica'",
            "GRANT REPLICATION SLAVE, CONNECTION_ADMIN, BACKUP_ADMIN, GROUP_REPLICATION_STREAM ON *.* TO replica@'%'",
            "RESET BINARY LOGS AND GTIDS",  # so that both begin with the same, empty set of transactions
            "CHANGE REPLICATION SOURCE TO SOURCE_USER = 'replica', SOURCE_PASSWORD = 'replica'"
            " FOR CHANNEL 'group_replication_recovery'",
        )
    first.execute("SET GLOBAL group_replication_bootstrap_group = ON", "START GROUP_REPLICATION")
    second.execute("START GROUP_REPLICATION")
    states = "SELECT member_state FROM performance_schema.replication_group_members"
    eventually(lambda: first.execute(states) == (("ONLINE",), ("ONLINE",)), JOIN_SECONDS, "both members online")
