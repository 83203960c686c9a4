"""Runs a service: its HTTP server and its workers, until SIGTERM or SIGINT."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Protocol

from common.connection_share import ConnectionCounts, ConnectionShare
from common.connections import close_idle_connections, connection_limit
from common.http_server import HttpServer, WsgiApp
from common.listening import authority, listen
from common.processes import run_processes
from common.request_log import request_logging_middleware
from common.worker_status import WorkerStatus

RETRY_SECONDS = 1
RECOVERED_SECONDS = 10  # without another failure: a worker that fails at each step fails sooner
STUCK_SECONDS = 60
STOP_SECONDS = 7  # `docker stop` sends SIGKILL after 10
LOG_SECONDS = 1  # the longest that an ending process waits for its last log lines

log = logging.getLogger("runner")


@dataclass(frozen=True)
class Worker:
    """A background job: `run(stop)` repeats its step until the event is set and writes `status` at each turn."""

    name: str
    run: Callable[[threading.Event], object]
    status: WorkerStatus


class Service(Protocol):
    """Returns the app of a process, and the workers that run in it: only the first process has any."""

    def __call__(self, first: bool) -> tuple[WsgiApp, Sequence[Worker]]: ...


def run(service: Service, host: str, port: int, processes: int = 1) -> None:
    """Serve until SIGTERM or SIGINT; then refuse new connections, answer requests in progress, and end within 8 s.

    Each process calls `service(first)`, and answers requests with THREADS threads. Each worker has a thread of its
    own, which restarts the worker when it fails.
    """
    listener, counts = listen(host, port), ConnectionCounts(processes)

    def serve(process: int) -> None:
        app, workers = service(first=process == 0)
        server = HttpServer(
            request_logging_middleware(app), listener, connection_limit(), ConnectionShare(counts, process)
        )
        _serve(server, authority(*listener.getsockname()[:2]), workers)

    if processes == 1:
        serve(0)
    else:
        run_processes(serve, processes, listener)


def _serve(server: HttpServer, address: str, workers: Sequence[Worker]) -> None:
    stop = threading.Event()
    supervised = [Supervision(worker) for worker in workers]
    working = [threading.Thread(target=each.run, args=(stop,), name=each.name, daemon=True) for each in supervised]
    signals = _queue_signals()
    for thread in working:
        thread.start()
    if supervised:
        threading.Thread(target=_watchdog, args=(supervised, stop), daemon=True).start()
    threading.Thread(target=close_idle_connections, args=(server, stop), daemon=True).start()
    threading.Thread(target=_stop_in_order, args=(server, signals, stop, working), daemon=True).start()
    facts = {"address": address, "pid": os.getpid()}
    log.info("serving", extra={**facts, "connections": server.connection_limit})
    server.run()


def _queue_signals() -> "SimpleQueue[int]":
    """The SIGTERM and SIGINT that arrive from now on.

    A second signal can interrupt the handler of the first: `docker stop` and a parent process each send one. `put` of a
    SimpleQueue allows that. Event.set would wait for a lock that its own thread holds, for ever.
    """
    signals: SimpleQueue[int] = SimpleQueue()
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, lambda received, _: signals.put(received))
    return signals


class Supervision:
    """Restarts a worker that fails. A failure that repeats is logged once, until it changes or ends."""

    def __init__(self, worker: Worker, clock: Callable[[], float] = time.monotonic) -> None:
        self.name, self.status = worker.name, worker.status
        self._worker, self._clock = worker, clock
        self._failure: str | None = None  # the one that was logged
        self._failures, self._failed_at = 0, 0.0

    def run(self, stop: threading.Event) -> None:
        """Run the worker until `stop`."""
        while not stop.is_set():
            try:
                self._worker.run(stop)
            except Exception as error:
                if self._is_new(error):
                    log.exception("worker failed: restarting it", extra={"worker": self.name, "seconds": RETRY_SECONDS})
                self.status.write({**self.status.read(), "failing": str(error)[:200]})
                stop.wait(RETRY_SECONDS)

    def note_recovery(self) -> None:
        """Log the end of the failures, once the worker has reported a status and has not failed for a while."""
        calm = self._clock() - self._failed_at >= RECOVERED_SECONDS
        if self._failure and calm and "failing" not in self.status.read():
            log.info("worker has recovered", extra={"worker": self.name, "failures": self._failures})
            self._failure = None

    def _is_new(self, error: Exception) -> bool:
        """Whether the failure before this one was another, or long ago."""
        earlier, self._failure = self._failure, f"{type(error).__name__}: {error}"
        self._failures = self._failures + 1 if earlier else 1
        self._failed_at = self._clock()
        return self._failure != earlier


def _watchdog(supervised: Sequence[Supervision], stop: threading.Event) -> None:
    """End the process when a worker is stuck: Python cannot end a thread. Docker restarts the service."""
    while not stop.wait(1):
        for each in supervised:
            each.note_recovery()
            if each.status.age() > STUCK_SECONDS:
                _end_within(LOG_SECONDS, exit_code=1)
                facts = {"worker": each.name, "seconds": STUCK_SECONDS}
                log.critical("worker reported nothing for too long: ending the process", extra=facts)
                os._exit(1)


def _stop_in_order(
    server: HttpServer, signals: "SimpleQueue[int]", stop: threading.Event, threads: Sequence[threading.Thread]
) -> None:
    signals.get()
    stop.set()
    _end_within(STOP_SECONDS + LOG_SECONDS, exit_code=0)
    deadline = time.monotonic() + STOP_SECONDS
    server.stop_accepting()
    _await_responses(server, deadline)
    for thread in threads:
        thread.join(max(0, deadline - time.monotonic()))
    _await_responses(server, deadline)  # to requests that arrived meanwhile on open connections
    if server.is_busy() or any(thread.is_alive() for thread in threads):
        log.warning("not everything ended in time: open transactions are rolled back", extra={"seconds": STOP_SECONDS})
    log.info("stopped")
    os._exit(0)  # everything is stored, and a thread that hangs in a library must not keep the process


def _await_responses(server: HttpServer, deadline: float) -> None:
    while server.is_busy() and time.monotonic() < deadline:
        time.sleep(0.02)


def _end_within(seconds: float, exit_code: int) -> None:
    """End the process after that time, whatever its other threads wait for: a lock, a library, the log."""
    timer = threading.Timer(seconds, os._exit, (exit_code,))
    timer.daemon = True
    timer.start()
