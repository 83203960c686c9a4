"""A client of a running service, for the commands."""

import http.client
import json
import urllib.error
import urllib.request
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

REQUEST_SECONDS = 10


class UpstreamError(Exception):
    """A service is unavailable, or its response is not one that this project's services give."""


class ServiceClient:
    """GET requests to the service at `url`."""

    def __init__(self, url: str, token: str = "") -> None:
        self.url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def get(self, path: str, **query: object) -> tuple[int, dict[str, Any]]:
        """The status and the JSON object of the response, numbers as Decimal.

        Raises UpstreamError if there is no such response within REQUEST_SECONDS.
        """
        address = f"{self.url}{path}" + (f"?{urlencode(query)}" if query else "")
        try:
            status, body = self._send(urllib.request.Request(address, headers=self._headers))
            value = json.loads(body, parse_int=Decimal, parse_float=Decimal)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise UpstreamError(f"{address} is unavailable: {getattr(error, 'reason', error)}") from error
        if not isinstance(value, dict):
            raise UpstreamError(f"the response of {address} must be a JSON object")
        return status, value

    def _send(self, request: urllib.request.Request) -> tuple[int, bytes]:
        try:
            with _open(request, timeout=REQUEST_SECONDS) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as response:
            with response:
                return response.code, response.read()


# Without the proxy that the environment may name: it reaches other networks, not the services of this one.
_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
