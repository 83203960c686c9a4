"""GET /events: what the worker of a service did last."""

from dataclasses import dataclass

from bottle import HTTPResponse

from common.events.recent import RecentEvents
from common.json_api import JsonApp
from common.json_text import to_json

NOT_STORED = {"Content-Type": "application/json", "Cache-Control": "no-store"}


@dataclass(frozen=True)
class Links:
    """The origin of each service as a browser reaches it, None where it is not known."""

    wallet: str | None = None
    balances: str | None = None


def serve_events(app: JsonApp, recent: RecentEvents, links: Links) -> None:
    """Serve the recent events, with the links between the pages of the two services."""
    tail = b', "links": %b}\n' % to_json(links)

    @app.get("/events", cross_origin=True)
    def get_events() -> HTTPResponse:
        return HTTPResponse(b'{"events": %b%b' % (recent.as_json(), tail), 200, NOT_STORED)
