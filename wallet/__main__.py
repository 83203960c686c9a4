"""The wallet service, put together: `python -m wallet`."""

from functools import partial

from common import access, environment
from common.bell import Bell
from common.kafka import client_options, security
from common.log import configure
from common.metrics import Counts, metered
from common.mysql import Database
from common.runner import Worker, run
from common.status import Status
from wallet import metrics, relay
from wallet.api import create_app


def main():
    configure("wallet")
    token = access.token("WALLET_TOKEN")
    database = Database(environment.text("DATABASE_URL"), environment.ca_file("MYSQL_SSL_CA"))
    processes = environment.integer("HTTP_PROCESSES", 1, high=64)
    # Shared by all processes: the relay runs in one, requests and commits happen in each.
    status, bell, counts = Status(), Bell(), Counts(processes)
    relaying = partial(
        relay.run,
        database=database,
        options=client_options(environment.text("KAFKA_BOOTSTRAP_SERVERS"), security()),
        partitions=environment.integer("KAFKA_PARTITIONS", 1),
        replication=environment.integer("KAFKA_REPLICATION", 1),
        bell=bell,
        status=status,
    )

    def service(first):
        app = create_app(database, status, bell.ring, token)
        app = metered(app, counts, partial(metrics.look, database=database, status=status))
        return app, [Worker("relay", relaying, status)] if first else []

    run(
        service,
        host=environment.text("HOST", "127.0.0.1"),
        port=environment.integer("PORT", 8080),
        processes=processes,
    )


if __name__ == "__main__":
    main()
