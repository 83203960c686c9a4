"""The wallet service, put together: `python -m wallet`."""

from functools import partial

from common import environment
from common.bell import Bell
from common.kafka import client_options
from common.log import configure
from common.mysql import Database
from common.runner import Worker, run
from common.status import Status
from wallet import relay
from wallet.api import create_app


def main():
    configure("wallet")
    database_url = environment.text("DATABASE_URL")
    kafka = client_options(environment.text("KAFKA_BOOTSTRAP_SERVERS"))
    partitions = environment.integer("KAFKA_PARTITIONS", 1)
    replication = environment.integer("KAFKA_REPLICATION", 1)
    status, bell = Status(), Bell()  # shared by all processes: the relay runs in one, commits happen in each

    def service(first):
        database = Database(database_url)
        relaying = partial(
            relay.run,
            database=database,
            options=kafka,
            partitions=partitions,
            replication=replication,
            bell=bell,
            status=status,
        )
        return create_app(database, status, bell.ring), [Worker("relay", relaying, status)] if first else []

    run(
        service,
        host=environment.text("HOST", "127.0.0.1"),
        port=environment.integer("PORT", 8080),
        processes=environment.integer("HTTP_PROCESSES", 1, high=64),
    )


if __name__ == "__main__":
    main()
