"""Whatever bytes a client sends: done or refused, never half done and never an error of the wallet's own."""

import io
import json
import logging
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.request_log import request_logging_middleware
from common.worker_status import WorkerStatus
from tests.integration.tables import execute, value
from wallet.api import create_app

pytestmark = pytest.mark.slow

ACCOUNTS = ("ana", "bob", "ana ", "Ana", "bøb", "")
TABLES = {"/clients": "clients", "/accounts": "accounts", "/transactions": "transactions"}

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=300) | st.sampled_from(ACCOUNTS)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
AMOUNTS = (
    st.decimals(min_value=-1, max_value=101, places=2, allow_nan=False).map(str)
    | st.sampled_from(
        ["1e2", "1E+400000", "1e-400000", "0.10", "1." + "0" * 5_000, "9" * 5_000, "0.001", "-0", "NaN", "1e2147483648"]
    )
    | st.integers().map(str)
)
TEXTS = (ANYTHING | st.text(max_size=300)).map(
    json.dumps
)  # json.dumps writes what is no JSON too: NaN, lone surrogates


def an_object(**fields):
    """JSON text with some of these fields, each of them text already, and perhaps one twice."""
    pairs = [st.tuples(st.just(name), texts) for name, texts in fields.items()]
    return st.lists(st.one_of(pairs), max_size=5).map(
        lambda chosen: "{" + ",".join(f'"{name}":{text}' for name, text in chosen) + "}"
    )


IDS = st.sampled_from(ACCOUNTS).map(json.dumps)
BODIES = st.one_of(
    st.binary(max_size=200),
    TEXTS.map(str.encode),
    an_object(name=TEXTS, email=TEXTS, client_id=IDS).map(str.encode),
    st.builds(
        '{{"account_id_from":{},"account_id_to":{},"amount":{}}}'.format, IDS | TEXTS, IDS | TEXTS, AMOUNTS | TEXTS
    ).map(str.encode),
    st.builds(
        lambda body, at, noise: body[:at] + noise + body[at:],
        st.just(b'{"client_id":"ana"}'),
        st.integers(0, 19),
        st.binary(max_size=3),
    ),
)
KEYS = st.none() | st.sampled_from(["1", "2"]) | st.text(st.characters(max_codepoint=255), max_size=300)


@pytest.fixture
def database(wallet_database):
    execute(wallet_database, "INSERT INTO clients (id, name, email) VALUES ('ana', 'Ana', 'ana@example.com')")
    execute(
        wallet_database, "INSERT INTO accounts (id, client_id, balance) VALUES ('ana', 'ana', 100), ('bob', 'ana', 0)"
    )
    return wallet_database


@pytest.fixture
def ask(database):
    return asker(request_logging_middleware(create_app(database, WorkerStatus(), committed=lambda: None)))


@given(path=st.sampled_from(sorted(TABLES)), body=BODIES, key=KEYS)
@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_post_of_any_bytes_is_done_or_refused_and_money_stays(path, body, key, ask, database, caplog):
    caplog.set_level(logging.ERROR)
    before = counted(database)

    status, answer, replayed = ask("POST", path, body, {} if key is None else {"HTTP_IDEMPOTENCY_KEY": key})

    assert status in (201, 400, 404, 409, 413, 422), answer
    assert (status == 201) != ("detail" in answer)
    stored = {name: number - before[name] for name, number in counted(database).items()}
    assert stored == {name: int(status == 201 and name == TABLES[path] and not replayed) for name in TABLES.values()}
    assert value(database, "SELECT SUM(balance) FROM accounts") == 100
    assert value(database, "SELECT MIN(balance) FROM accounts") >= 0
    assert not caplog.records


@given(
    path=st.sampled_from(
        ["/accounts/", "/clients/", "/transactions/", "/accounts?after=", "/accounts?limit=", "/", "/accounts?"]
    ),
    rest=st.binary(max_size=300),
)
@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_get_of_any_bytes_is_answered_or_refused(path, rest, ask, caplog):
    caplog.set_level(logging.ERROR)

    status, answer, _ = ask("GET", path + "".join(f"%{byte:02X}" for byte in rest))

    assert status in (200, 400, 404), answer
    assert not caplog.records


def asker(application):
    """Asks the application as a server would: ask(method, target, body, environ) gives (status, document, replayed)."""

    def ask(method, target, body=b"", environ=()):
        path, _, query = target.partition("?")
        answered = {}

        def start_response(status, headers, exc_info=None):
            answered.update(status=int(status[:3]), headers=dict(headers))

        content = b"".join(
            application(
                {
                    "REQUEST_METHOD": method,
                    "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
                    "QUERY_STRING": query,
                    "CONTENT_LENGTH": str(len(body)),
                    "wsgi.input": io.BytesIO(body),
                    **dict(environ),
                },
                start_response,
            )
        )
        is_json = answered["headers"]["Content-Type"].endswith("json")
        return answered["status"], json.loads(content) if is_json else {}, "Idempotent-Replayed" in answered["headers"]

    return ask


def counted(database):
    return {name: value(database, f"SELECT COUNT(*) FROM {name}") for name in TABLES.values()}
