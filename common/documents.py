"""The documents of a service: its page with the files of the page, and its API description. Read once, at the start."""

import hashlib
from pathlib import Path

from bottle import HTTPError, HTTPResponse, request

from common.json_api import JsonApp

SHARED_FILES = Path(__file__).with_name("page")

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
# The page runs and shows only files of its own service, and sends requests only to that service. No inline code.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def serve_documents(app: JsonApp, folder: Path, description: Path) -> None:
    """Serve `folder`/index.html at /, its other files and the shared ones at /static/NAME, and /openapi.json.

    A project without `folder` has no page. The page and its files are public, as they hold no data: the page asks for
    the token that the API requires.
    """
    files = {
        path.name: _File(path)
        for source in (SHARED_FILES, folder)
        if folder.is_dir()
        for path in sorted(source.iterdir())
        if path.suffix in _TYPES
    }
    page = files.pop("index.html", None)
    openapi = description.read_bytes()

    if page:
        app.get("/", public=True)(page.response)

        @app.get("/static/<name>", public=True)
        def get_file(name: str) -> HTTPResponse:
            if name not in files:
                raise HTTPError(404, f"Not found: /static/{name}")
            return files[name].response()

    @app.get("/openapi.json")
    def get_description() -> HTTPResponse:
        return HTTPResponse(openapi, 200, {"Content-Type": "application/json"})


class _File:
    """A file in memory. `no-cache` lets a browser keep it, but it asks each time whether the file has changed."""

    def __init__(self, path: Path) -> None:
        self._body = path.read_bytes()
        self._headers = {
            "Content-Type": _TYPES[path.suffix],
            "Content-Security-Policy": _POLICY,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-cache",
            "ETag": f'"{hashlib.blake2b(self._body, digest_size=16).hexdigest()}"',
        }

    def response(self) -> HTTPResponse:
        """The file, or 304 for a browser that has this version."""
        known = request.environ.get("HTTP_IF_NONE_MATCH", "")
        if known == "*" or self._headers["ETag"] in known:
            return HTTPResponse(b"", 304, self._headers)
        return HTTPResponse(self._body, 200, self._headers)
