"""The entry point of Wallet: `python -m wallet`."""

from typing import Any

from common.event_routes import Links
from common.events.published import PublishedEvents
from common.events.recent import RecentEvents
from common.events.relay import Relay
from common.log import configure
from common.mysql import Database
from common.runner import Worker, run
from common.shared_metrics import shared_metrics
from common.wakeup import WakeupEvent
from common.worker_status import WorkerStatus
from wallet import settings as wallet_settings
from wallet.api import create_app
from wallet.messages import TOPICS, describe


def main() -> None:
    configure("wallet")
    settings = wallet_settings.from_environment()
    database = Database(settings.database_url, settings.mysql_ssl_ca)
    # Shared by all processes: the relay runs in one, requests and commits happen in each.
    status, wakeup, recent = WorkerStatus(), WakeupEvent(), RecentEvents()
    relay = Relay(
        database=database,
        options=settings.kafka_options,
        topics=TOPICS,
        partitions=settings.kafka_partitions,
        replication=settings.kafka_replication,
        wakeup=wakeup,
        status=status,
        published=PublishedEvents(recent, describe),
    )

    def service(first: bool) -> tuple[Any, list[Worker]]:
        from wallet.metrics import metrics_middleware  # after the fork, see common.metrics

        links = Links(settings.wallet_url or None, settings.balances_url or None)
        app = create_app(database, status, wakeup.notify, settings.token, recent, links)
        return metrics_middleware(app, database, status), [Worker("relay", relay.run, status)] if first else []

    with shared_metrics(settings.http_processes):
        run(service, settings.host, settings.port, settings.http_processes)


if __name__ == "__main__":
    main()
