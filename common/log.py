"""One JSON line for each event, on standard output. Nothing ever waits for the log.

Own code, because structlog and python-json-logger write through a file object. When nobody reads a full pipe, each
thread that logs waits in it, the watchdog too. This module drops and counts such a line. Speed is not the reason.
A request line takes structlog 9 us, this module 14 us and python-json-logger 24 us (best of seven runs, Python 3.11).
"""

import logging
import re
import sys
import threading
import time
import traceback
from typing import Any

import msgspec

from common.output import Output

log = logging.getLogger("log")

_encode = msgspec.json.Encoder(enc_hook=str).encode
_STANDARD = frozenset(vars(logging.makeLogRecord({})))
_CUT = " … ".encode()
_REFUSAL = re.compile(r"Authentication failed[^)]*|\[SSL[^(]*|Invalid frame length")  # the last: TLS, unasked for
REFUSAL_SECONDS = 60

_configured: list["JsonLines"] = []


def configure(service: str, to_stderr: bool = False) -> None:
    """Send every log record to standard output; `log.info("…", extra={…})` adds its fields to the line.

    A command, whose standard output is its result, logs to standard error.
    """
    handler = JsonLines(service, Output(2 if to_stderr or not sys.__stdout__ else sys.__stdout__.fileno()))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    _configured[:] = [handler]
    threading.excepthook = _log_uncaught  # Python's own hook writes to standard error, and would wait for its reader
    # No line names its thread, process or caller, so logging need not find them: half of its time.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # as section "Optimization" of Python's logging guide recommends
    # kafka-python logs an outage five times a second; the workers report it themselves, once.
    kafka = logging.getLogger("kafka")
    kafka.setLevel(logging.ERROR)
    kafka.propagate = False
    kafka.handlers = [_KafkaRefusals()]
    logging.getLogger("waitress").setLevel(logging.ERROR)  # it warns at each connection and request beyond its limits


def info(logger: logging.Logger, message: str, fields: dict[str, Any]) -> None:
    """Do what `logger.info(message, extra=fields)` does in half of the time: for the line of each request."""
    if _configured:
        _configured[0].write(time.time(), "INFO", message, fields)
    else:  # no service, but a test or a program that imports this one
        logger.info(message, extra=fields)


class JsonLines(logging.Handler):
    """Writes a record as one line of JSON, with one system call.

    A line that cannot be written is dropped and counted. The number is reported before the next line that can be.
    """

    def __init__(self, service: str, output: Output) -> None:
        super().__init__()
        self._service, self._output = service, output
        self._dropped = 0
        self._counting = threading.Lock()
        self._second = (0, "")  # the last formatted second, and its text

    def handle(self, record: logging.LogRecord) -> bool:
        self.emit(record)  # without the handler's lock, which one slow thread would hold against all others
        return True

    def emit(self, record: logging.LogRecord) -> None:
        self._write(self._line(record))

    def write(self, created: float, level: str, message: str, fields: dict[str, Any]) -> None:
        """Write a line without a LogRecord."""
        self._write(self._encoded(created, level, message, fields))

    def _write(self, line: bytes) -> None:
        if self._dropped:
            with self._counting:
                self._report_dropped()
                if self._dropped:
                    self._dropped += 1
                    return
        if not self._output.write(line):
            with self._counting:
                self._dropped += 1

    def _report_dropped(self) -> None:
        reason = "standard output took no more"
        attributes = {"name": log.name, "levelname": "WARNING", "msg": "log lines were dropped"}
        report = logging.makeLogRecord({**attributes, "lines": self._dropped, "reason": reason})
        if self._dropped and self._output.write(self._line(report)):
            self._dropped = 0

    def _line(self, record: logging.LogRecord) -> bytes:
        fields = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        if record.exc_info:
            fields["error"] = "".join(traceback.format_exception(*record.exc_info))
        return self._encoded(record.created, record.levelname, record.getMessage(), fields)

    def _encoded(self, created: float, level: str, message: str, fields: dict[str, Any]) -> bytes:
        seconds, micros = divmod(int(created * 1_000_000), 1_000_000)
        second, text = self._second
        if second != seconds:
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
            self._second = seconds, text
        standard = {"time": f"{text}.{micros:06d}Z", "level": level, "service": self._service, "message": message}
        fields = {**standard, **fields}
        line = _encoded(fields)
        limit = self._output.limit
        return line if limit is None or len(line) <= limit else _shortened(fields, limit)


def _log_uncaught(uncaught: threading.ExceptHookArgs) -> None:
    if uncaught.exc_type is not SystemExit and uncaught.exc_value:
        error = (uncaught.exc_type, uncaught.exc_value, uncaught.exc_traceback)
        log.critical("a thread ended with an error", exc_info=error)


def _encoded(fields: dict[str, Any]) -> bytes:
    try:
        return _encode(fields) + b"\n"
    except (ValueError, TypeError, OverflowError, RecursionError):  # a value that JSON cannot hold, as a lone surrogate
        return _encode({key: ascii(value) for key, value in fields.items()}) + b"\n"


def _shortened(fields: dict[str, Any], limit: int) -> bytes:
    """The line in at most `limit` bytes: the longest texts lose their middle, the least useful part of a trace."""
    for key in sorted(fields, key=lambda key: len(str(fields[key])), reverse=True):
        excess = len(_encoded(fields)) - limit
        if excess <= 0:
            break
        text = str(fields[key]).encode("utf-8", "backslashreplace")
        kept = max(0, len(text) - excess - len(_CUT))
        head = kept // 3
        fields[key] = (text[:head] + _CUT + text[len(text) - (kept - head) :]).decode("utf-8", "ignore")
    return _encoded(fields)


class _KafkaRefusals(logging.Handler):
    """Passes on what only kafka-python's own log reports: a refused password or certificate."""

    def __init__(self) -> None:
        super().__init__()
        self._reported_at: float | None = None

    def emit(self, record: logging.LogRecord) -> None:
        refusal = _REFUSAL.search(record.getMessage())
        if refusal and (self._reported_at is None or record.created - self._reported_at >= REFUSAL_SECONDS):
            self._reported_at = record.created
            log.error("Kafka authentication or TLS handshake failed", extra={"reason": refusal[0][:200]})
