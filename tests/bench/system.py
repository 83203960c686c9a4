"""The running system as the bench sees it: its databases, its topics, its processes.

`./local.sh bench` starts one for the bench alone and tells where it is in the environment.
"""

import os
import random
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pymysql
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient

from common.kafka import client_options

WALLET_PORT, BALANCES_PORT = int(os.environ["WALLET_PORT"]), int(os.environ["BALANCES_PORT"])
KAFKA = client_options(f"127.0.0.1:{os.environ['KAFKA_PORT']}")
TOPIC = "balances"
WAIT_SECONDS = 300


def local(verb, name, **environment):
    """`./local.sh start NAME` or `stop NAME`; start returns once it is ready."""
    command = ["./local.sh", verb, name]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, **environment})


def memory_mb(name):
    """Resident memory of the process and its children."""
    pid = int((Path(os.environ["LOCAL_DIR"]) / "run" / f"{name}.pid").read_text())
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return sum(_resident_kb(each) for each in [pid, *children]) / 1024


def _resident_kb(pid):
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1])


def connect(database):
    """A connection as the owner of the database, without the services' limits on a statement's time."""
    return pymysql.connect(
        host="127.0.0.1",
        port=int(os.environ["MYSQL_PORT"]),
        user=f"{database}_owner",
        password=f"{database}_owner",
        database=database,
        autocommit=True,
    )


def execute(database, statement, *parameters):
    with closing(connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()


def account_id(number):
    return f"b0000000-0000-4000-8000-{number:012d}"


# Numbers 0 to 999,999 from six digits: one statement on MySQL and MariaDB alike.
_DIGITS = "(" + " UNION ".join(f"SELECT {digit} AS d" for digit in range(10)) + ")"
_NUMBERS = "SELECT a.d + 10*b.d + 100*c.d + 1000*d.d + 10000*e.d + 100000*f.d AS n FROM " + ", ".join(
    f"{_DIGITS} {name}" for name in "abcdef"
)
_ID = "CONCAT('b0000000-0000-4000-8000-', LPAD(n, 12, '0'))"


def fill_balances(rows):
    execute("balances", "DELETE FROM balances WHERE account_id LIKE 'b0000000%%'")
    execute(
        "balances",
        f"INSERT INTO balances (account_id, balance, sequence) SELECT {_ID}, n, 0 FROM ({_NUMBERS}) t WHERE n < {rows}",
    )


def fill_accounts(rows):
    """Accounts with a million each, that have taken part in no transfer yet."""
    execute(
        "wallet",
        "INSERT IGNORE INTO accounts (id, client_id, balance)"
        f" SELECT {_ID}, 'c0000000-0000-4000-8000-000000000001', 1000000 FROM ({_NUMBERS}) t WHERE n < {rows}",
    )


def fill_outbox(rows):
    execute(
        "wallet",
        "INSERT INTO outbox (topic, message_key, payload) SELECT 'balances', " + _ID + ","
        ' CONCAT(\'{"Name":"BalanceUpdated","Payload":{"account_id_from":"\', ' + _ID + ', \'","account_id_to":"\','
        " " + _ID + ', \'","balance_account_id_from":1,"balance_account_id_to":1}}\')'
        f" FROM ({_NUMBERS}) t WHERE n < {rows}",
    )


def end_offset():
    """Records of the topic, over all its partitions."""
    with closing(KafkaConsumer(**KAFKA)) as consumer:
        consumer.end_offsets([TopicPartition(TOPIC, 0)], timeout_ms=10_000)
        partitions = [TopicPartition(TOPIC, number) for number in consumer.partitions_for_topic(TOPIC)]
        return sum(consumer.end_offsets(partitions, timeout_ms=10_000).values())


def stored_offset():
    ((total,),) = execute(
        "balances", "SELECT COALESCE(SUM(next_offset), 0) FROM consumer_offsets WHERE topic = %s", TOPIC
    )
    return int(total)


def partitions(count):
    with closing(KafkaAdminClient(**KAFKA)) as admin:
        admin.create_partitions({TOPIC: count})


def produce(events, accounts, seed=1):
    """Put `events` transfers between `accounts` accounts, drawn uniformly, on the topic, as the wallet writes them."""
    draw, sequence = random.Random(seed), int(time.time() * 1_000_000)
    options = {"enable_idempotence": False, "acks": 1, "linger_ms": 20, "batch_size": 64 * 1024}
    with KafkaProducer(**KAFKA, **options) as producer:
        for number in range(events):
            source, target = account_id(draw.randrange(accounts)), account_id(draw.randrange(accounts))
            send_balances(producer, source, target, number % 10_000 + 0.5, number % 7777, sequence + number)
        producer.flush()


def send_balances(producer, source, target, source_balance, target_balance, sequence):
    value = (
        f'{{"Name":"BalanceUpdated","Payload":{{"account_id_from":"{source}","account_id_to":"{target}",'
        f'"balance_account_id_from":{source_balance},"balance_account_id_to":{target_balance}}}}}'
    )
    headers = [
        ("sequence", str(sequence).encode()),
        ("occurred_at", b"2026-11-22T11:42:20.123456Z"),
        ("request_id", b"5f0f3b52-7a4e-4b43-9d7c-0f6b8a1c2d3e"),
    ]
    return producer.send(TOPIC, value=value.encode(), key=source.encode(), headers=headers)


def wait_until(condition, seconds=WAIT_SECONDS, every=0.02):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"waited {seconds} s in vain")
        time.sleep(every)
