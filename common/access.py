"""Who gets in: whoever bears the token, where one is asked for, and no page of another site."""

import hmac
import logging
import re

from bottle import request

from common import environment

log = logging.getLogger("access")


class Unauthorized(Exception):
    def __init__(self):
        super().__init__("a bearer token is asked for, and this request has none or another one")


class CrossSite(Exception):
    def __init__(self):
        super().__init__("a page of another site may not do this")


def token(name):
    """The token that the environment asks for, "" for none; the log says which of the two."""
    value = environment.text(name, "")
    if not re.fullmatch(r"[\x21-\x7e]*", value):
        raise environment.ConfigurationError(
            name, "must have only visible ASCII characters: a header cannot carry others"
        )
    log.info(f"asks for the bearer token of {name}" if value else f"open to everybody: {name} is not set")
    return value


class Guard:
    """Bottle's plugin that asks for the token on every route but those marked `open_to_all=True`."""

    def __init__(self, token):
        self._token = token.encode("ascii")

    def apply(self, route, context):
        if context.config.get("open_to_all"):
            return route

        def guarded(*args, **kwargs):
            scheme, _, given = request.environ.get("HTTP_AUTHORIZATION", "").partition(" ")
            # In constant time: an answer that comes sooner must not tell how much of a guess was right.
            if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode("latin-1"), self._token):
                raise Unauthorized
            return route(*args, **kwargs)

        return guarded


def refuse_other_sites():
    """Raise CrossSite for what a page of another site sends: a browser sends its forms anywhere, CORS or not."""
    headers = request.environ  # as they came: Bottle's get_header fails at bytes that are not UTF-8
    site = headers.get("HTTP_SEC_FETCH_SITE")
    if site is None:  # an older browser tells only the page's origin; what is no browser tells neither
        origin = headers.get("HTTP_ORIGIN")
        same = origin is None or origin.partition("://")[2] == headers.get("HTTP_HOST")
    else:
        same = site in ("same-origin", "none")
    if not same:
        raise CrossSite
