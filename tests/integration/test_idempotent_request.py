"""A request that creates something, on a real MySQL: what an Idempotency-Key promises, with use cases of the tests."""

import io
import json
from typing import NamedTuple

import pytest
from bottle import request

from common.events.idempotency import KeyReused
from common.http_request import BadRequest
from common.mysql import Conflict
from tests.integration.tables import value
from wallet.domain import AccountCreated, ClocksDiffer, InvalidClient
from wallet.idempotent_request import create_resource, idempotency_key


class Thing(NamedTuple):
    id: str


class UseCase:
    """Makes the things 1, 2, …, publishing `event` with each; raises what is in `failures` first."""

    def __init__(self, *failures, event=None):
        self.made = 0
        self._failures = list(failures)
        self._event = event

    def __call__(self, work):
        if self._failures:
            raise self._failures.pop(0)
        if self._event:
            work.publish([self._event])
        self.made += 1
        return Thing(str(self.made))


@pytest.fixture
def post(wallet_database):
    """Creates with a use case, as a request with this key and body would; gives the response."""

    def post(use_case, key=None, body=b"{}", path="/things"):
        environ = {"REQUEST_METHOD": "POST", "PATH_INFO": path, "wsgi.input": io.BytesIO(body), "request_id": "r-1"}
        if key is not None:
            environ["HTTP_IDEMPOTENCY_KEY"] = key
        request.bind(environ)
        return create_resource(wallet_database, use_case, to_body=lambda thing: {"made": thing.id}, location="/things/")

    return post


def test_what_was_created_is_answered_with_its_place(post, wallet_database):
    response = post(UseCase())

    assert (response.status_code, json.loads(response.body)) == (201, {"made": "1"})
    assert response.headers["Location"] == "/things/1"
    assert "Sequence" not in response.headers  # nothing was published
    assert value(wallet_database, "SELECT COUNT(*) FROM idempotency_keys") == 0


def test_the_sequence_of_what_was_published_is_answered(post, wallet_database):
    response = post(UseCase(event=AccountCreated(42, "a", "ana", 0)))

    assert response.headers["Sequence"] == "42"
    assert value(wallet_database, "SELECT sequence FROM outbox") == 42


def test_a_known_key_gets_the_saved_response_and_creates_nothing(post, wallet_database):
    use_case = UseCase(event=AccountCreated(42, "a", "ana", 0))
    first = post(use_case, key="k")

    again = post(use_case, key="k")

    assert use_case.made == 1
    assert (again.status_code, again.body) == (first.status_code, first.body)
    assert dict(again.headers) == {**first.headers, "Idempotent-Replayed": "true"}
    assert request.environ["outcome"] == "replayed"  # for the metrics and the log
    assert value(wallet_database, "SELECT COUNT(*) FROM outbox") == 1


def test_without_a_key_the_same_request_creates_again(post):
    use_case = UseCase()

    assert [post(use_case).headers["Location"] for _ in range(2)] == ["/things/1", "/things/2"]


def test_a_key_is_bound_to_its_body_and_to_its_path(post):
    use_case = UseCase()
    post(use_case, key="k", body=b'{"one":1}')

    with pytest.raises(KeyReused):
        post(use_case, key="k", body=b'{"one":2}')
    post(use_case, key="k", body=b'{"one":2}', path="/others")

    assert use_case.made == 2


def test_a_conflict_is_repeated_and_its_key_saved_once(post, wallet_database):
    use_case = UseCase(Conflict("deadlock"), Conflict("deadlock"))

    response = post(use_case, key="k")

    assert (response.status_code, use_case.made) == (201, 1)
    assert value(wallet_database, "SELECT status FROM idempotency_keys") == 201


def test_a_refusal_leaves_the_key_free(post):
    use_case = UseCase(InvalidClient("name"))
    with pytest.raises(InvalidClient):
        post(use_case, key="k")

    assert post(use_case, key="k").status_code == 201


def test_clocks_that_differ_are_logged_once_and_so_is_their_agreement(post, caplog):
    use_case = UseCase(ClocksDiffer(400), ClocksDiffer(400), event=AccountCreated(42, "a", "ana", 0))

    with caplog.at_level("INFO", logger="wallet"):
        for _ in range(2):
            with pytest.raises(ClocksDiffer):
                post(use_case)
        post(use_case)
        post(use_case)

    first, second = [record for record in caplog.records if record.name == "wallet"]
    assert (first.levelname, first.message) == ("ERROR", "transfers are refused")
    assert first.reason.startswith("the database's clock is 400 s ahead of this service's clock")
    assert (second.levelname, second.message) == ("INFO", "transfers are accepted again")


@pytest.mark.parametrize("key", ["", "with space", "k" * 256, "é", "line\nbreak"])
def test_a_key_has_1_to_255_visible_ascii_characters(post, key):
    with pytest.raises(BadRequest, match="1 to 255 visible ASCII"):
        post(UseCase(), key=key)


def test_a_key_is_read_with_the_body_that_was_parsed_before():
    request.bind({"REQUEST_METHOD": "POST", "PATH_INFO": "/things", "HTTP_IDEMPOTENCY_KEY": "k"})
    body = io.BytesIO(b"{}")
    body.read()
    request.environ["wsgi.input"] = body

    key = idempotency_key()

    assert (key.scope, key.key) == ("POST /things", "k")
    assert key.body_sha256.hex().startswith("44136fa355b3678a")  # of {}
