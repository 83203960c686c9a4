"""Services that start at the same moment on different nodes of a cluster, which do not share GET_LOCK."""

import pytest

from common.mysql import Database
from tests.faults.galera import Galera
from tests.faults.system import ROOT
from tests.integration import tables
from tests.integration.service import start_command

ROUNDS = 5

pytestmark = pytest.mark.timeout(600, func_only=True)


@pytest.mark.parametrize("service", ["wallet", "balances"])
def test_services_that_migrate_at_once_on_three_nodes_all_start(cluster: Galera, service: str) -> None:
    urls = [f"mysql://{service}_owner:{service}_owner@127.0.0.1:{node.port}/{service}" for node in cluster.nodes]
    files = len(list((ROOT / "db" / service / "migrations").glob("*.sql")))
    retries = 0

    for _ in range(ROUNDS):
        tables.drop_all(Database(urls[0]))
        processes = [start_command(service, url, "migrate") for url in urls]
        outputs = [process.communicate(timeout=120)[0] for process in processes]
        retries += "".join(outputs).count("dbmate failed; retrying")

        assert [process.returncode for process in processes] == [0] * len(urls), "\n".join(outputs)
        for url in urls:
            assert tables.value(Database(url), "SELECT COUNT(*) FROM schema_migrations") == files

    print(f"\n{service}: {ROUNDS} rounds, dbmate retried {retries} times")
