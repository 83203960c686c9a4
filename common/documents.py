"""What a service shows of itself: its page and the description of its API, each read once, at the start."""

import base64
import hashlib
import re

from bottle import HTTPResponse


def serve_documents(app, page, description):
    """Answer GET / with the HTML file `page`, and GET /openapi.json with the file `description`."""
    html = page.read_text(encoding="utf-8")
    page_headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": _policy(html),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }
    openapi = description.read_bytes()

    @app.get("/", open_to_all=True)
    def get_page():
        return HTTPResponse(html, 200, page_headers)

    @app.get("/openapi.json")
    def get_description():
        return HTTPResponse(openapi, 200, {"Content-Type": "application/json"})


def _policy(html):
    """The page's own script and style run, told by their hashes, and talk to its own service: nothing else does."""

    def hashes(tag):
        blocks = re.findall(f"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        digests = (hashlib.sha256(block.encode("utf-8")).digest() for block in blocks)
        return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)

    return (
        f"default-src 'none'; script-src {hashes('script')}; style-src {hashes('style')}; img-src data:;"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
