"""The entry point of Balances: `python -m balances`."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from balances import projection
from balances import settings as balances_settings
from balances.api import create_app
from balances.messages import TOPICS, describe, parse
from common.event_routes import Links
from common.events import consumer
from common.events.consumed import ConsumedEvents
from common.events.recent import RecentEvents
from common.log import configure
from common.mysql import Database, DatabaseClock
from common.runner import Worker, run
from common.shared_metrics import shared_metrics
from common.worker_status import WorkerStatus


def main(topics: Sequence[str] = TOPICS) -> None:
    configure("balances")
    settings = balances_settings.from_environment()
    database = Database(settings.database_url, settings.mysql_ssl_ca)
    # Shared by all processes: the consumer runs in one.
    status, recent = WorkerStatus(), RecentEvents()
    clock = DatabaseClock(database)
    consume = partial(
        consumer.run,
        database=database,
        options=settings.kafka_options,
        projection=consumer.Projection(
            topics,
            partial(parse, clock=clock),
            projection.apply,
            ConsumedEvents(recent, describe, projection.which_change, clock),
        ),
        group=settings.kafka_group,
        status=status,
    )

    def service(first: bool) -> tuple[Any, list[Worker]]:
        from balances.metrics import metrics_middleware  # after the fork, see common.metrics

        links = Links(settings.wallet_url or None, settings.balances_url or None)
        app = create_app(database, status, settings.token, recent, links)
        return metrics_middleware(app, database, status), [Worker("consumer", consume, status)] if first else []

    with shared_metrics(settings.http_processes):
        run(service, settings.host, settings.port, settings.http_processes)


if __name__ == "__main__":
    main()
