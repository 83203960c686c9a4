"""The documents of a service: its pages with their files, and its descriptions. Read once, at the start."""

import hashlib
from pathlib import Path

from bottle import HTTPError, HTTPResponse, request

from common.json_api import JsonApp

SHARED_FILES = Path(__file__).with_name("page")
VIEWER_FILES = Path(__file__).with_name("swagger_ui")

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
# The page runs and shows only files of its own service. It sends requests only to that service, and to the origin that
# `serve_documents` is given. No inline code.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# The stylesheet of Swagger UI contains its icons.
_VIEWER_POLICY = _POLICY.replace("img-src 'self'", "img-src 'self' data:")


def serve_documents(app: JsonApp, folder: Path, *descriptions: Path, reads: str | None = None) -> None:
    """Serve `folder`/index.html at /, the viewer of the API description at /docs, and their files at /static/NAME.

    Each description is served under its own name without the service: `wallet.openapi.json` at /openapi.json. A project
    without `folder` has no pages. The pages and their files are public, as they hold no data: a page asks for the token
    that the API requires. The page may also read from the origin `reads`.
    """
    if folder.is_dir():
        _serve_pages(app, folder, reads)
    for description in descriptions:
        app.get(f"/{description.name.partition('.')[2]}")(_JsonFile(description).response)


def _serve_pages(app: JsonApp, folder: Path, reads: str | None) -> None:
    files = {
        path.name: _File(path, _policy(path, reads))
        for source in (SHARED_FILES, VIEWER_FILES, folder)
        if source.is_dir()
        for path in sorted(source.iterdir())
        if path.suffix in _TYPES
    }
    app.get("/", public=True)(files.pop("index.html").response)
    app.get("/docs", public=True)(files.pop("docs.html").response)

    @app.get("/static/<name>", public=True)
    def get_file(name: str) -> HTTPResponse:
        if name not in files:
            raise HTTPError(404, f"Not found: /static/{name}")
        return files[name].response()


def _policy(path: Path, reads: str | None) -> str:
    if path.name == "docs.html":
        return _VIEWER_POLICY
    return _POLICY.replace("connect-src 'self'", f"connect-src 'self' {reads}") if reads else _POLICY


class _JsonFile:
    def __init__(self, path: Path) -> None:
        self._body = path.read_bytes()

    def response(self) -> HTTPResponse:
        return HTTPResponse(self._body, 200, {"Content-Type": "application/json"})


class _File:
    """A file in memory. `no-cache` lets a browser keep it, but it asks each time whether the file has changed."""

    def __init__(self, path: Path, policy: str) -> None:
        self._body = path.read_bytes()
        self._headers = {
            "Content-Type": _TYPES[path.suffix],
            "Content-Security-Policy": policy,
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
