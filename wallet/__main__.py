"""The wallet service, put together: `python -m wallet`."""

from typing import Any

from common import access, environment
from common.events.relay import Relay
from common.kafka import client_options, security
from common.log import configure
from common.mysql import Database
from common.runner import Worker, run
from common.shared_metrics import shared_metrics
from common.status import Status
from common.wakeup import WakeupEvent
from wallet.api import create_app
from wallet.messages import TOPICS


def main() -> None:
    configure("wallet")
    token = access.token("WALLET_TOKEN")
    database = Database(environment.text("DATABASE_URL"), environment.ca_file("MYSQL_SSL_CA"))
    processes = environment.integer("HTTP_PROCESSES", 1, high=64)
    # Shared by all processes: the relay runs in one, requests and commits happen in each.
    status, wakeup = Status(), WakeupEvent()
    relay = Relay(
        database=database,
        options=client_options(environment.text("KAFKA_BOOTSTRAP_SERVERS"), security()),
        topics=TOPICS,
        partitions=environment.integer("KAFKA_PARTITIONS", 1),
        replication=environment.integer("KAFKA_REPLICATION", 1),
        wakeup=wakeup,
        status=status,
    )

    def service(first: bool) -> tuple[Any, list[Worker]]:
        from wallet.metrics import metrics_middleware  # after the fork, see common.metrics

        app = metrics_middleware(create_app(database, status, wakeup.notify, token), database, status)
        return app, [Worker("relay", relay.run, status)] if first else []

    host, port = environment.text("HOST", "127.0.0.1"), environment.integer("PORT", 8080)
    with shared_metrics(processes):
        run(service, host, port, processes)


if __name__ == "__main__":
    main()
