"""One JSON line for each thing worth knowing, on standard output."""

import logging
import re
import sys
import time
import traceback

import msgspec

log = logging.getLogger("log")

_encode = msgspec.json.Encoder(enc_hook=str, order="deterministic").encode
_STANDARD = frozenset(vars(logging.makeLogRecord({})))
_REFUSAL = re.compile(r"Authentication failed[^)]*|\[SSL[^(]*|Invalid frame length")  # the last: TLS, unasked for
REFUSAL_SECONDS = 60


def configure(service):
    """Send every log record to standard output; `log.info("…", extra={…})` adds its fields to the line."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_JsonLine(service))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # kafka-python tells of an outage five times a second; the workers tell of it themselves, once.
    kafka = logging.getLogger("kafka")
    kafka.setLevel(logging.ERROR)
    kafka.propagate = False
    kafka.handlers = [_KafkaRefusals()]
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


class _KafkaRefusals(logging.Handler):
    """Passes on the one thing that only kafka-python's own log tells: a password or a certificate that is refused."""

    def __init__(self):
        super().__init__()
        self._said_at = None

    def emit(self, record):
        refusal = _REFUSAL.search(record.getMessage())
        if refusal and (self._said_at is None or record.created - self._said_at >= REFUSAL_SECONDS):
            self._said_at = record.created
            log.error("Kafka and we do not agree on who is who", extra={"reason": refusal[0][:200]})
