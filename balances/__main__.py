"""The balances service, put together: `python -m balances`."""

import socket
from collections.abc import Sequence
from functools import partial
from typing import Any

from balances import projection
from balances.api import create_app
from balances.messages import TOPICS, parse
from common import access, environment
from common.events import consumer
from common.kafka import client_options, security
from common.log import configure
from common.mysql import Database, DatabaseClock
from common.runner import Worker, run
from common.shared_metrics import shared_metrics
from common.status import Status


def main(topics: Sequence[str] = TOPICS) -> None:
    configure("balances")
    token = access.token("BALANCES_TOKEN")
    database = Database(environment.text("DATABASE_URL"), environment.ca_file("MYSQL_SSL_CA"))
    processes = environment.integer("HTTP_PROCESSES", 1, high=64)
    status = Status()  # shared by all processes: the consumer runs in one
    consuming = partial(
        consumer.run,
        database=database,
        options=client_options(environment.text("KAFKA_BOOTSTRAP_SERVERS"), security()),
        projection=consumer.Projection(topics, partial(parse, clock=DatabaseClock(database)), projection.apply),
        group=consumer.Group(
            environment.text("KAFKA_GROUP_ID", "balances"),
            environment.text("KAFKA_INSTANCE_ID", socket.gethostname()),
            environment.integer("KAFKA_PARTITIONS", 1),
            environment.integer("KAFKA_REPLICATION", 1),
        ),
        status=status,
    )

    def service(first: bool) -> tuple[Any, list[Worker]]:
        from balances.metrics import metrics_middleware  # after the fork, see common.metrics

        app = metrics_middleware(create_app(database, status, token), database, status)
        return app, [Worker("consumer", consuming, status)] if first else []

    host, port = environment.text("HOST", "127.0.0.1"), environment.integer("PORT", 3003)
    with shared_metrics(processes):
        run(service, host, port, processes)


if __name__ == "__main__":
    main()
