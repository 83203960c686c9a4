"""One request of the HTTP server, where waitress itself is slow: its path, and the bytes of its response.

Both are a part of waitress, which does the rest. What is not usual, as HTTP/1.0, takes waitress's own way.
"""

import re
from functools import lru_cache
from operator import itemgetter

from waitress import parser
from waitress.task import WSGITask
from waitress.utilities import build_http_date

_PLAIN_PATH = re.compile(rb"/[A-Za-z0-9._~/-]*")  # without a query or an escape
_NO_BODY = ("1", "204", "304")

_split_any_uri = parser.split_uri
_date = (0, "")  # the last formatted second, and its text


def split_uri(uri: bytes) -> tuple[str, str, str, str, str]:
    """(scheme, host, path, query, fragment). waitress has urllib split each, though few requests have all five."""
    if _PLAIN_PATH.fullmatch(uri):
        return "", "", uri.decode("ascii"), "", ""
    split: tuple[str, str, str, str, str] = _split_any_uri(uri)
    return split


def split_plain_paths() -> None:
    """Have waitress split the target of each request with `split_uri` from now on."""
    parser.split_uri = split_uri


class Task(WSGITask):  # type: ignore[misc]  # waitress has no types
    """Writes a response of known length in one piece: headers and body."""

    wrote_header = False

    def write(self, data: bytes) -> None:
        if self.wrote_header or not data or self.content_length != len(data) or not self._is_usual():
            super().write(data)
            return
        self.wrote_header, self.content_bytes_written = True, len(data)
        self.channel.write_soon(self._head() + data)

    def _is_usual(self) -> bool:
        """Whether the response was started, has a body, and leaves the connection open."""
        return (
            self.complete
            and self.version == "1.1"
            and self.request.headers.get("CONNECTION", "").lower() != "close"
            and not self.status.startswith(_NO_BODY)
        )

    def _head(self) -> bytes:
        """What build_response_header gives: the headers in the order of their names, with a length and a date."""
        headers = [(_capitalized(name), value) for name, value in self.response_headers]
        given = {name for name, _ in headers}
        if "Server" in given:  # waitress adds a Via
            return bytes(self.build_response_header())
        if "Content-Length" not in given:
            headers.append(("Content-Length", str(self.content_length)))
        if "Date" not in given:
            headers.append(("Date", _http_date(self.start_time)))
        headers.sort(key=itemgetter(0))
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
        return f"HTTP/1.1 {self.status}\r\n{lines}\r\n".encode("latin-1")


@lru_cache(maxsize=256)
def _capitalized(name: str) -> str:
    return "-".join(word.capitalize() for word in name.split("-"))


def _http_date(now: float) -> str:
    global _date
    second, text = _date
    if int(now) != second:
        second, text = _date = int(now), build_http_date(now)
    return text
