"""What a client may do with its connection: the limits that waitress does not hold by itself."""

import logging
import math
import time

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.task import ErrorTask

from common.json_api import problem

REQUEST_SECONDS = 20  # for a request to arrive whole: waitress waits for ever for one that comes byte by byte
ANSWER_SECONDS = 30  # for an answer to be taken
CROWDED_SECONDS = 2  # for either, and for the next request, when places are short
PIPELINED = 4  # requests taken before the first is answered
UNTAKEN_BYTES = 32 * 1024 * 1024  # answers held at once for clients that do not take them

log = logging.getLogger("http")


def keep_room(server, stop):
    """Close the connections that hold a place, or memory, and do not use it, so that others are served."""
    while not stop.wait(1):
        channels = sorted(server.active_channels.values(), key=lambda channel: channel.since)
        crowded = len(channels) > server.adj.connection_limit * 3 // 4
        untaken = sum(channel.total_outbufs_len for channel in channels)
        for channel in channels:
            waited, untaken_here = time.monotonic() - channel.since, channel.total_outbufs_len
            if waited > channel.allowed_seconds(crowded) or (untaken > UNTAKEN_BYTES and untaken_here):
                untaken -= untaken_here
                channel.will_close = True
        server.pull_trigger()


class _Parser(HTTPRequestParser):
    def parse_header(self, header_plus):
        try:
            super().parse_header(header_plus)
        except ValueError as error:  # waitress would close the connection without a word
            raise ParsingError("the request's first line or its Content-Length cannot be read") from error
        # Two lengths for one body: a proxy may believe the other one, and see another request begin elsewhere.
        if (self.chunked and "CONTENT_LENGTH" in self.headers) or "TRANSFER_ENCODING" in self.headers:
            raise ParsingError("Transfer-Encoding stands beside Content-Length, or in HTTP/1.0")


class _ProblemTask(ErrorTask):
    """What waitress refuses by itself (headers, lengths, sizes) is a problem document too."""

    def execute(self):
        error = self.request.error
        error.to_response = lambda ident: (
            f"{error.code} {error.reason}",
            [("Content-Type", "application/problem+json")],
            problem(error.code, str(error.body)),
        )
        log.info("request refused", extra={"status": error.code, "reason": str(error.body)[:200]})
        super().execute()


class Channel(HTTPChannel):
    """A connection that knows since when its client has kept the service waiting."""

    parser_class = _Parser
    error_task_class = _ProblemTask

    def __init__(self, *arguments, **options):
        self.since = time.monotonic()
        super().__init__(*arguments, **options)

    def received(self, data):
        if self.request is None:
            self.since = time.monotonic()
        taken = super().received(data)
        # waitress works through all that one read brings, a hundred requests and more, and keeps every answer until it
        # is taken: a few clients that take none would hold every thread. Who sends too many has the rest unanswered.
        with self.requests_lock:
            if len(self.requests) > PIPELINED:
                del self.requests[PIPELINED:]
                self.requests[-1].headers["CONNECTION"] = "close"
        return taken

    def service(self):
        super().service()
        self.since = time.monotonic()

    def allowed_seconds(self, crowded):
        """How long the client may keep the service waiting as it now does."""
        if self.requests and not self.total_outbufs_len:
            return math.inf  # it is the client who waits
        if crowded:
            return CROWDED_SECONDS
        if self.total_outbufs_len:
            return ANSWER_SECONDS
        return self.adj.channel_timeout if self.request is None else REQUEST_SECONDS
