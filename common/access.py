"""Who may use the API: bearer authentication where a token is set, and no request of another site's page."""

import hmac
import logging
import re
from collections.abc import Callable
from typing import Any

from bottle import request, response

from common import environment

log = logging.getLogger("access")


class Unauthorized(Exception):
    def __init__(self) -> None:
        super().__init__("the Authorization header must contain the service's bearer token")


class CrossSite(Exception):
    def __init__(self) -> None:
        super().__init__("a page of another site must not send this request")


def token(name: str) -> str:
    """The token in the environment variable of that name, "" for none. Log which of the two."""
    value = environment.text(name, "")
    if not re.fullmatch(r"[\x21-\x7e]*", value):
        raise environment.ConfigurationError(name, "must contain only visible ASCII characters, as a header does")
    if value:
        log.info("bearer authentication enabled", extra={"variable": name})
    else:
        log.info("authentication disabled: the variable is not set", extra={"variable": name})
    return value


class BearerAuthentication:
    """Bottle plugin that requires the token on every route, except those registered with `public=True`."""

    def __init__(self, token: str) -> None:
        self._token = token.encode("ascii")

    def apply(self, route: Callable[..., Any], context: Any) -> Callable[..., Any]:
        if context.config.get("public"):
            return route

        def authenticated(*args: Any, **kwargs: Any) -> Any:
            scheme, _, given = request.environ.get("HTTP_AUTHORIZATION", "").partition(" ")
            # In constant time: the duration of a comparison must not show how much of a guess was right.
            if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode("latin-1"), self._token):
                raise Unauthorized
            return route(*args, **kwargs)

        return authenticated


def cross_origin_reads(origin: str) -> Callable[[], None]:
    """Bottle hook that lets pages of exactly this origin read the routes registered with `cross_origin=True`.

    Only GET without a header of the page's own: no preflight request is answered, so no token can be sent.
    """

    def allow() -> None:
        route = request.environ.get("bottle.route")
        if route is not None and route.config.get("cross_origin"):
            response.add_header("Vary", "Origin")
            if request.environ.get("HTTP_ORIGIN") == origin:
                response.set_header("Access-Control-Allow-Origin", origin)

    return allow


def csrf_protection(route: Callable[..., Any]) -> Callable[..., Any]:
    """Bottle plugin for a route that changes something: refuse what a page of another site sends.

    A browser sends the forms of any page to any site, whatever CORS allows.
    """

    def protected(*args: Any, **kwargs: Any) -> Any:
        if not _is_same_site():
            raise CrossSite
        return route(*args, **kwargs)

    return protected


def _is_same_site() -> bool:
    headers = request.environ  # unchanged: Bottle's get_header fails on bytes that are not UTF-8
    site = headers.get("HTTP_SEC_FETCH_SITE")
    if site is not None:
        return site in ("same-origin", "none")
    # An older browser sends only Origin. A program that is no browser sends neither header.
    origin = headers.get("HTTP_ORIGIN")
    return origin is None or origin.partition("://")[2] == headers.get("HTTP_HOST")
