"""The entry point of Balances: `python -m balances`."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from balances import projection
from balances import settings as balances_settings
from balances.api import create_app
from balances.messages import TOPICS, parse
from common.events import consumer
from common.log import configure
from common.mysql import Database, DatabaseClock
from common.runner import Worker, run
from common.shared_metrics import shared_metrics
from common.status import Status


def main(topics: Sequence[str] = TOPICS) -> None:
    configure("balances")
    settings = balances_settings.from_environment()
    database = Database(settings.database_url, settings.mysql_ssl_ca)
    status = Status()  # shared by all processes: the consumer runs in one
    consume = partial(
        consumer.run,
        database=database,
        options=settings.kafka_options,
        projection=consumer.Projection(topics, partial(parse, clock=DatabaseClock(database)), projection.apply),
        group=settings.kafka_group,
        status=status,
    )

    def service(first: bool) -> tuple[Any, list[Worker]]:
        from balances.metrics import metrics_middleware  # after the fork, see common.metrics

        app = metrics_middleware(create_app(database, status, settings.token), database, status)
        return app, [Worker("consumer", consume, status)] if first else []

    with shared_metrics(settings.http_processes):
        run(service, settings.host, settings.port, settings.http_processes)


if __name__ == "__main__":
    main()
