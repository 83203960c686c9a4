"""Moves what the outbox holds to Kafka: in order, at least once. One relay leads, however many wallets run."""

import logging
import time
from contextlib import closing

import pymysql
from kafka import KafkaProducer
from kafka.errors import KafkaError

from common.kafka import ensure_topics
from common.mysql import DatabaseUnavailable
from wallet.messages import TOPICS
from wallet.repositories import Answers, Outbox

BATCH_ROWS = 2000
# Between the starts of two turns: a millisecond for each row of the first, so that under load a turn carries many for
# the price of one (13 % more transfers a second than turns of 10 ms), and at rest nobody waits.
SECONDS_A_ROW, TURN_SECONDS = 0.001, 0.025
LOOK_SECONDS = 0.5  # how often the outbox is looked at when nobody rings
LEAD_SECONDS = 2  # how long a wait for the lead lasts before the stop is looked at again
HUNG_SECONDS = 9  # a leader that is silent this long loses its connection, and with it the lead
BLOCK_MS = 4_000  # for the first metadata of a topic
REQUEST_MS, DELIVERY_MS = 5_000, 7_000
ACK_SECONDS = 8  # longer than DELIVERY_MS, shorter than HUNG_SECONDS: a batch that waits out both keeps the lead
RETRY_SECONDS = 1
EXPIRED_AT_ONCE, EXPIRE_SECONDS = 500, 60

log = logging.getLogger("relay")


class Unacknowledged(Exception):
    """Kafka did not acknowledge everything in time; the producer may still hold some of it."""


def run(stop, database, options, partitions, replication, bell, status):
    """Lead when no other does, relay batch after batch; wait out every outage of MySQL or Kafka."""
    relay = {"relay": "waiting", "kafka": "unknown"}

    def tell(**facts):
        changes = {key: value for key, value in facts.items() if relay.get(key) != value}
        relay.update(facts)
        status.write(relay)
        if changes:
            log.info("relay", extra=changes)

    while not stop.is_set():
        try:
            with closing(database.connect()) as connection:
                # MySQL itself ends the session of a leader that hangs: it never says goodbye.
                _execute(connection, f"SET SESSION wait_timeout = {HUNG_SECONDS}")
                while not stop.is_set() and not _lead(connection, database.name):
                    tell(relay="another leads")
                if not stop.is_set():
                    tell(relay="leads")
                    _relay_while_leading(stop, connection, database.name, options, partitions, replication, bell, tell)
        except (DatabaseUnavailable, pymysql.Error) as error:
            tell(relay="waits for MySQL")
            log.warning("MySQL is away", extra={"reason": str(error)[:200]})
            stop.wait(RETRY_SECONDS)
        except (KafkaError, Unacknowledged) as error:
            tell(relay="waits for Kafka", kafka="down")
            log.warning("Kafka is away", extra={"reason": str(error)[:200]})
            stop.wait(RETRY_SECONDS)


def relay_batch(connection, producer):
    """Publish the oldest messages and remove those acknowledged; give how many went.

    No transaction is open while Kafka answers. A crash between the two leaves the messages to be published again:
    consumers see them at least once. Raises Unacknowledged, after removing what was acknowledged, when some were not;
    the producer must then be closed, lest it send later what is handed over again.
    """
    with connection.cursor() as cursor:
        rows = Outbox(cursor).oldest(BATCH_ROWS)
    if not rows:
        return 0
    deadline = time.monotonic() + ACK_SECONDS
    futures = [_send(producer, *row) for row in rows]
    acknowledged, failure = _await(futures, deadline)
    if acknowledged:
        with connection.cursor() as cursor:
            Outbox(cursor).remove([row[0] for row in rows[:acknowledged]])
    if failure:
        raise Unacknowledged(str(failure)) from failure
    return acknowledged


def _relay_while_leading(stop, connection, name, options, partitions, replication, bell, tell):
    ensure_topics(options, TOPICS, partitions, replication)
    tell(kafka="up")
    producer = _producer(options)
    expire_at = time.monotonic()
    try:
        while not stop.is_set() and _leads(connection, name):
            started = time.monotonic()
            if relayed := relay_batch(connection, producer):
                log.info("batch", extra={"relayed": relayed})
                tell(kafka="up")
                turn_ends = started + min(relayed * SECONDS_A_ROW, TURN_SECONDS)
                stop.wait(max(0, turn_ends - time.monotonic()))
            else:
                tell()
                if time.monotonic() >= expire_at:
                    expire_at = time.monotonic() + EXPIRE_SECONDS
                    _forget_expired_answers(connection)
                bell.wait(LOOK_SECONDS)
    finally:
        _close(producer)


def _producer(options):
    return KafkaProducer(
        **{**options, "request_timeout_ms": REQUEST_MS},
        acks="all",
        enable_idempotence=True,
        delivery_timeout_ms=DELIVERY_MS,
        max_block_ms=BLOCK_MS,
        linger_ms=0,
        allow_auto_create_topics=False,
    )


def _close(producer):
    """End the producer at once, with all it still holds: what was not acknowledged is handed over to the next one."""
    try:
        producer.close(timeout=0)
    except KafkaError:  # its flush gave up, and close() with it, before it stopped the thread that sends
        producer._sender.force_close()


def _send(producer, sequence, topic, key, payload, request_id, created_at):
    headers = [
        ("sequence", str(sequence).encode("ascii")),
        ("occurred_at", f"{created_at.isoformat(timespec='microseconds')}Z".encode("ascii")),
    ]
    if request_id:
        headers.append(("request_id", request_id.encode("utf-8")))
    return producer.send(topic, value=payload.encode("utf-8"), key=key.encode("utf-8"), headers=headers)


def _await(futures, deadline):
    """(how many from the start were acknowledged, the first failure or None), once every future is settled."""
    acknowledged, failure = 0, None
    for future in futures:
        try:
            future.get(timeout=max(0, deadline - time.monotonic()))
        except KafkaError as error:
            failure = failure or error
        else:
            acknowledged += failure is None
    return acknowledged, failure


def _lead(connection, name):
    return _execute(connection, "SELECT GET_LOCK(%s, %s)", _lock(name), LEAD_SECONDS) == 1


def _leads(connection, name):
    return _execute(connection, "SELECT IS_USED_LOCK(%s) = CONNECTION_ID()", _lock(name)) == 1


def _lock(name):
    return f"{name}.relay"  # locks are the server's, not the database's: its name keeps two wallets apart


def _execute(connection, statement, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        row = cursor.fetchone()
    return row[0] if row else None


def _forget_expired_answers(connection):
    with connection.cursor() as cursor:
        while Answers(cursor).forget_expired(EXPIRED_AT_ONCE) == EXPIRED_AT_ONCE:
            pass
