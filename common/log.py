"""One JSON line for each thing worth knowing, on standard output."""

import logging
import sys
import time
import traceback

import msgspec

_encode = msgspec.json.Encoder(enc_hook=str, order="deterministic").encode
_STANDARD = frozenset(vars(logging.makeLogRecord({})))


def configure(service):
    """Send every log record to standard output; `log.info("…", extra={…})` adds its fields to the line."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_JsonLine(service))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # kafka-python tells of an outage five times a second; the workers tell of it themselves, once.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)


class _JsonLine(logging.Formatter):
    def __init__(self, service):
        super().__init__()
        self._service = service

    def format(self, record):
        seconds, micros = divmod(int(record.created * 1_000_000), 1_000_000)
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{micros:06d}Z",
            "level": record.levelname,
            "service": self._service,
            "message": record.getMessage(),
        }
        line.update((key, value) for key, value in vars(record).items() if key not in _STANDARD)
        if record.exc_info:
            line["error"] = "".join(traceback.format_exception(*record.exc_info))
        return _encode(line).decode("utf-8")
