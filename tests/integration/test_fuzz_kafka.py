"""Whatever bytes Kafka brings, nothing stops and nothing is misapplied: through a real broker into real tables."""

import time
from collections import Counter
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kafka import KafkaProducer

from balances.messages import parse
from common.events import dead_letters
from common.events.dead_letters import UnreadableRecord
from common.mysql import Database
from tests.events import balance_announced
from tests.integration import tables
from tests.integration.consumers import consume, consumer_of, initialize
from tests.integration.tables import rows, value

pytestmark = pytest.mark.slow

CODECS = (None, "gzip", "snappy", "lz4", "zstd")


class Name(str):
    """The name of a header, of any bytes: kafka-python's own producer takes text alone."""

    def __new__(cls, raw):
        name = super().__new__(cls, raw.decode("utf-8", "backslashreplace"))
        name.raw = raw
        return name

    def encode(self, *_):
        return self.raw


def numbered(sequence):
    return [("sequence", str(sequence).encode())]


MESSAGE = b'{"Name":"BalanceAnnounced","Payload":{"account_id":"noise","balance":1}}'
NAMES = st.sampled_from([b"sequence", b"occurred_at", b"request_id"]) | st.binary(max_size=8)
HEADERS = st.lists(st.tuples(NAMES.map(Name), st.binary(max_size=24)), max_size=4)
MAIMED = st.builds(
    lambda start, end, other: MESSAGE[:start] + other + MESSAGE[end:],
    st.integers(0, len(MESSAGE)),
    st.integers(0, len(MESSAGE)),
    st.binary(max_size=4),
)
RECORDS = st.lists(
    st.fixed_dictionaries(
        {
            "value": st.none() | st.binary(max_size=64) | MAIMED,
            "key": st.binary(max_size=16),
            "headers": HEADERS,
        }
    ),
    min_size=30,
    max_size=60,
)


@pytest.fixture(scope="module")
def producers(kafka):
    made = {codec: KafkaProducer(**kafka, acks="all", compression_type=codec, linger_ms=5) for codec in CODECS}
    yield made
    for producer in made.values():
        producer.close()


@pytest.fixture(scope="module")
def topic(make_topic):
    return make_topic()


@pytest.fixture(scope="module")
def followed(kafka, balances_url, topic):
    database = tables.emptied(Database(balances_url), tables.BALANCES)
    with consumer_of(kafka, database, topic) as worker:
        initialize(worker)
        yield worker


@pytest.fixture
def worker(followed):
    """One for all tests: it goes on where the last has ended, with nothing known and nothing parked."""
    forget(followed.database)
    return followed


@pytest.fixture
def database(worker):
    return worker.database


def forget(database):
    for table in ("balances", "dead_letters"):
        tables.execute(database, f"DELETE FROM {table}")


@given(noise=RECORDS, codec=st.sampled_from(CODECS))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_amid_any_noise_the_good_messages_count_and_the_unreadable_are_parked(
    noise, codec, producers, worker, topic, database
):
    forget(database)

    for number, record in enumerate(noise, start=1):
        producers[codec].send(topic, **record)
        producers[codec].send(topic, value=balance_announced("good", number), headers=numbered(number))
    producers[codec].flush()
    consume(worker, records=2 * len(noise))

    balances = dict(rows(database, "SELECT account_id, balance FROM balances"))
    assert balances.pop("good") == len(noise)
    assert set(balances) == {balance.account_id for record in noise for balance in readable(record)}
    parked = rows(database, "SELECT record_key, record_value FROM dead_letters WHERE state = 'parked'")
    assert Counter(parked) == Counter((each["key"], each["value"]) for each in noise if not readable(each))


def readable(record):
    """The balances in the record, none if it cannot be read."""
    try:
        return parse(SimpleNamespace(**{**record, "timestamp": 1}), lambda: int(time.time() * 1_000_000))
    except UnreadableRecord:
        return ()


@pytest.mark.parametrize("codec", CODECS)
def test_every_compression_is_read(codec, producers, worker, topic, database):
    producers[codec].send(topic, value=balance_announced("ana", 5)).get(timeout=10)

    consume(worker, records=1)

    assert value(database, "SELECT balance FROM balances WHERE account_id = 'ana'") == 5


@pytest.mark.parametrize("name", [b"\xff", b"\xc3", b"sequence\xed\xa0\x80", b"", b"\x00", b"n" * 10_000])
def test_a_header_may_have_any_name(name, send, worker, topic, database):
    send(topic, balance_announced("ana", 5), headers=[*numbered(1), (Name(name), b"1"), (Name(name), b"2")])
    send(topic, balance_announced("bruno", 7))

    consume(worker, records=2)

    assert dict(rows(database, "SELECT account_id, balance FROM balances")) == {"ana": 5, "bruno": 7}


def test_garbage_under_such_a_header_is_parked(send, worker, topic, database):
    send(topic, b"garbage", headers=[(Name(b"\xff"), b"\xff")])

    consume(worker, records=1)

    (letter,) = database.read(dead_letters.list_after, 0, 10)
    assert letter.headers == [("\\xff", b"\xff")]


def test_of_a_header_that_is_repeated_the_last_counts_as_everywhere_in_kafka(send, worker, topic, database):
    send(topic, balance_announced("ana", 5), headers=numbered(9) + numbered(2))

    consume(worker, records=1)

    assert value(database, "SELECT sequence FROM balances WHERE account_id = 'ana'") == 2


def test_a_record_of_a_megabyte_is_parked_completely(producers, worker, topic, database):
    garbage = bytes(range(256)) * 4000

    producers[None].send(topic, value=garbage, key=garbage[:10_000]).get(timeout=10)
    consume(worker, records=1)

    (letter,) = database.read(dead_letters.list_after, 0, 10)
    assert letter.value == garbage
    assert letter.key == garbage[:10_000]


@pytest.mark.parametrize("place", ["key", "value", "headers"])
def test_a_record_that_decompresses_to_twenty_megabytes_is_parked_incomplete(place, kafka, worker, topic, database):
    garbage = b"\xff" * 20_000_000
    record = {"partition": 0, "value": b"garbage", place: [("x", garbage)] if place == "headers" else garbage}
    producer = KafkaProducer(**kafka, acks="all", compression_type="zstd", max_request_size=1 << 30)

    producer.send(topic, **record).get(timeout=30)
    producer.send(topic, value=balance_announced("ana", 5)).get(timeout=10)
    consume(worker, records=2)

    producer.close()
    (dead_letter,) = database.read(dead_letters.list_after, 0, 10)
    stored = getattr(dead_letter, place)
    assert stored == ([] if place == "headers" else garbage[: len(stored)])
    assert len(stored) <= dead_letters.CUT_BYTES
    assert dead_letter.value_bytes == (20_000_000 if place == "value" else len(b"garbage"))
    assert value(database, "SELECT balance FROM balances WHERE account_id = 'ana'") == 5
