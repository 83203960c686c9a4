"""A page of Wallet may read the events and the balances of Balances; no other page may."""

import io
from typing import Any

import pytest

import balances.api
import wallet.api
from common.event_routes import Links
from common.mysql import DatabaseUnavailable

WALLET, BALANCES = "http://localhost:8080", "http://localhost:3003"


class Unavailable:
    """A database that cannot be reached."""

    def read(self, *_: Any) -> None:
        raise DatabaseUnavailable


def headers_of(path: str, origin: str | None = WALLET, links: Links | None = None, **options: Any) -> dict[str, str]:
    """The headers of the response of Balances."""
    database: Any = Unavailable()
    status: Any = None
    app = balances.api.create_app(database, status, links=links or Links(WALLET, BALANCES), **options)
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
        **({"HTTP_ORIGIN": origin} if origin else {}),
    }
    found: list[tuple[str, str]] = []
    app(environ, lambda status, headers, exc_info=None: found.extend(headers))
    return dict(found)


def test_the_page_of_wallet_may_read_the_events() -> None:
    headers = headers_of("/events")

    assert headers["Access-Control-Allow-Origin"] == WALLET
    assert headers["Vary"] == "Origin"
    assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/balances", "/balances/ana"])
def test_the_page_of_wallet_may_read_the_balances_and_learns_of_an_outage(path: str) -> None:
    headers = headers_of(path)

    assert headers["Access-Control-Allow-Origin"] == WALLET
    assert headers["Retry-After"] == "1"


def test_the_page_of_wallet_learns_that_a_token_is_required() -> None:
    assert headers_of("/events", token="secret")["Access-Control-Allow-Origin"] == WALLET


@pytest.mark.parametrize(
    "origin",
    [None, "null", "http://localhost:80800", "http://localhost", "https://localhost:8080", "http://127.0.0.1:8080", ""],
)
def test_no_other_origin_may_read(origin: str | None) -> None:
    headers = headers_of("/events", origin)

    assert "Access-Control-Allow-Origin" not in headers
    assert headers["Vary"] == "Origin"


@pytest.mark.parametrize("path", ["/dead-letters", "/dead-letters/1", "/openapi.json", "/ready", "/nowhere"])
def test_other_routes_are_for_pages_of_their_own_origin(path: str) -> None:
    assert "Access-Control-Allow-Origin" not in headers_of(path)


def test_without_wallet_url_no_page_of_another_origin_may_read() -> None:
    headers = headers_of("/events", links=Links())

    assert not {"Access-Control-Allow-Origin", "Vary"} & headers.keys()


@pytest.mark.skipif(not wallet.api.PAGE.is_dir(), reason="this project has no page")
@pytest.mark.parametrize(
    ("balances_url", "allowed"), [(BALANCES, f"connect-src 'self' {BALANCES};"), (None, "connect-src 'self';")]
)
def test_the_page_of_wallet_connects_to_balances_and_to_nothing_else(balances_url: str | None, allowed: str) -> None:
    nothing: Any = None
    app = wallet.api.create_app(nothing, nothing, nothing, links=Links(WALLET, balances_url))
    found: dict[str, str] = {}
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "wsgi.errors": io.StringIO()}

    app(environ, lambda status, headers, exc_info=None: found.update(headers))

    assert allowed in found["Content-Security-Policy"]
