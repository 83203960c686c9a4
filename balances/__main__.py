"""The balances service, put together: `python -m balances`."""

import socket
from collections.abc import Sequence
from functools import partial
from typing import Any

from balances import metrics, projection
from balances.api import create_app
from balances.messages import TOPICS, parse
from common import access, environment
from common.events import consumer
from common.kafka import client_options, security
from common.log import configure
from common.metrics import Counts, metered
from common.mysql import Database, DatabaseClock
from common.runner import Worker, run
from common.status import Status


def main(topics: Sequence[str] = TOPICS) -> None:
    configure("balances")
    token = access.token("BALANCES_TOKEN")
    database = Database(environment.text("DATABASE_URL"), environment.ca_file("MYSQL_SSL_CA"))
    processes = environment.integer("HTTP_PROCESSES", 1, high=64)
    status, counts = Status(), Counts(processes)  # shared by all processes: the consumer runs in one
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
        app = create_app(database, status, token)
        app = metered(app, counts, partial(metrics.collect, database=database, status=status))
        return app, [Worker("consumer", consuming, status)] if first else []

    run(
        service,
        host=environment.text("HOST", "127.0.0.1"),
        port=environment.integer("PORT", 3003),
        processes=processes,
    )


if __name__ == "__main__":
    main()
