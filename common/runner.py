"""Runs a service: its HTTP server and its workers, until SIGTERM or SIGINT."""

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from waitress import create_server, wasyncore

from common.connections import Channel, close_idle_connections, connection_limit
from common.json_api import logged
from common.listening import authority, listen
from common.status import Status

THREADS = 16
IDLE_SECONDS = 60
HEADER_BYTES = 16 * 1024
READ_BODY_BYTES = 96 * 1024  # of a body, at most; the API refuses a smaller one, with its own error
RETRY_SECONDS = 1
STUCK_SECONDS = 60
STOP_SECONDS = 7  # `docker stop` waits 10 before it kills
LOG_SECONDS = 1  # the longest that an ending process waits for its last lines

log = logging.getLogger("runner")

WsgiApp = Callable[..., Any]


@dataclass(frozen=True)
class Worker:
    """A background job: `run(stop)` repeats its step until the event is set and writes `status` at each turn."""

    name: str
    run: Callable[[threading.Event], object]
    status: Status


class Service(Protocol):
    """Gives the app of a process, and the workers that run in it: none but in the first."""

    def __call__(self, first: bool) -> tuple[WsgiApp, Sequence[Worker]]: ...


def run(service: Service, host: str, port: int, processes: int = 1) -> None:
    """Serve until SIGTERM or SIGINT; then refuse new connections, answer those in progress, and end within 8 s.

    `service(first)` is called in each process. Each worker has a thread of its own, started again when it fails. With
    several processes a parent watches them: when one ends, for any reason, it ends the others. The exit code is 0 only
    when the end was requested.
    """
    listener = listen(host, port)
    if processes == 1:
        _serve(listener, *service(first=True))
    else:
        _watch_over({_fork(service, listener, number == 0) for number in range(processes)})


def _fork(service: Service, listener: socket.socket, first: bool) -> int:
    parent = os.getpid()
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C reaches the parent too, which ends us in order
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
        _serve(listener, *service(first))
        code = 0
    except Exception:
        log.exception("the process could not start")
    finally:
        os._exit(code)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


def _watch_over(children: set[int]) -> None:
    requested = False

    def end(*_: object) -> None:
        nonlocal requested
        requested = True
        _terminate(children)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    failed = False
    while children:
        child, status = os.wait()
        children.discard(child)
        failed = failed or status != 0
        _terminate(children)
    raise SystemExit(1 if failed or not requested else 0)


def _terminate(children: set[int]) -> None:
    for child in list(children):
        os.kill(child, signal.SIGTERM)


def _serve(listener: socket.socket, app: WsgiApp, workers: Sequence[Worker]) -> None:
    stop = threading.Event()
    threads = [threading.Thread(target=_supervise, args=(each, stop), name=each.name, daemon=True) for each in workers]
    server = create_server(
        logged(app),
        sockets=[listener],
        threads=THREADS,
        connection_limit=connection_limit(),
        channel_timeout=IDLE_SECONDS,
        cleanup_interval=5,
        max_request_header_size=HEADER_BYTES,
        max_request_body_size=READ_BODY_BYTES,
        asyncore_use_poll=True,  # select() fails above file descriptor 1023
        log_socket_errors=False,  # a stack trace for each connection that cannot be accepted
        ident=None,
    )
    server.channel_class = Channel
    _stop_at_signals(stop)
    for thread in threads:
        thread.start()
    threading.Thread(target=_watchdog, args=(workers, stop), daemon=True).start()
    threading.Thread(target=close_idle_connections, args=(server, stop), daemon=True).start()
    threading.Thread(target=_stop_in_order, args=(server, stop, threads), daemon=True).start()
    facts = {"address": authority(*listener.getsockname()[:2]), "pid": os.getpid()}
    log.info("serving", extra={**facts, "connections": server.adj.connection_limit})
    server.run()


def _stop_at_signals(stop: threading.Event) -> None:
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: stop.set())


def _supervise(worker: Worker, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            worker.run(stop)
        except Exception as error:
            log.exception("%s failed; it starts again in %s s", worker.name, RETRY_SECONDS)
            worker.status.write({**worker.status.read(), "failing": str(error)[:200]})
            stop.wait(RETRY_SECONDS)


def _watchdog(workers: Sequence[Worker], stop: threading.Event) -> None:
    """A thread stuck in a library cannot be ended from Python: end the process, so that it is started again."""
    while not stop.wait(1):
        for worker in workers:
            if worker.status.age() > STUCK_SECONDS:
                _end_within(LOG_SECONDS, exit_code=1)
                log.critical("%s has been stuck for %s s: ending the process", worker.name, STUCK_SECONDS)
                os._exit(1)


def _stop_in_order(server: Any, stop: threading.Event, threads: Sequence[threading.Thread]) -> None:
    stop.wait()
    _end_within(STOP_SECONDS + LOG_SECONDS, exit_code=0)
    deadline = time.monotonic() + STOP_SECONDS
    # waitress's own way out leaves the listener open: new connections would hang instead of being refused.
    server.trigger.pull_trigger(lambda: wasyncore.dispatcher.close(server))
    while _busy(server) and time.monotonic() < deadline:
        time.sleep(0.02)
    for thread in threads:
        thread.join(max(0, deadline - time.monotonic()))
    if _busy(server) or any(thread.is_alive() for thread in threads):
        log.warning("not everything ended within %s s; what is cut off is rolled back", STOP_SECONDS)
    log.info("stopped")
    os._exit(0)  # nothing is left to save, and a thread that hangs in a library must not keep the process


def _end_within(seconds: float, exit_code: int) -> None:
    """End the process then, whatever its other threads wait for: a lock, a library, the log."""
    timer = threading.Timer(seconds, os._exit, (exit_code,))
    timer.daemon = True
    timer.start()


def _busy(server: Any) -> bool:
    channels = list(server.active_channels.values())
    return bool(server.task_dispatcher.queue) or any(each.requests or each.total_outbufs_len for each in channels)
