"""Runs a service: its HTTP server, its workers beside it, until told to stop."""

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from waitress import create_server, wasyncore

from common.connections import Channel, keep_room
from common.json_api import logged
from common.status import Status

THREADS = 16
CONNECTIONS = 900  # a process may have 1,024 files open by default, and MySQL and Kafka need some of them
IDLE_SECONDS = 60
HEADER_BYTES = 16 * 1024
BODY_BYTES = 96 * 1024  # what is read of a body at all; the API refuses less, in its own words
RETRY_SECONDS = 1
STUCK_SECONDS = 60
STOP_SECONDS = 7  # `docker stop` waits 10 before it kills

log = logging.getLogger("runner")


@dataclass(frozen=True)
class Worker:
    """A background job: `run(stop)` repeats its step until the event is set and writes `status` at each turn."""

    name: str
    run: Callable
    status: Status


def run(service, host, port, processes=1):
    """Serve until SIGTERM or SIGINT; then refuse new connections, answer those under way, and end within 8 s.

    `service(first)` gives `(app, workers)`. It is called in each process, and only in the first with workers to run:
    each in a thread of its own, started again when it fails. With several processes one parent watches them: when
    one ends, for whatever reason, it ends the others. The exit code is 0 only when the end was asked for.
    """
    listener = _listen(host, port)
    if processes == 1:
        _serve(listener, *service(first=True))
    else:
        _watch_over({_fork(service, listener, number == 0) for number in range(processes)})


def _listen(host, port):
    listener = socket.create_server((host, port), backlog=1024)
    listener.setblocking(False)
    return listener


def _fork(service, listener, first):
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


def _end_with(parent):
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


def _watch_over(children):
    asked = False

    def end(*_):
        nonlocal asked
        asked = True
        _terminate(children)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    failed = False
    while children:
        child, status = os.wait()
        children.discard(child)
        failed = failed or status != 0
        _terminate(children)
    raise SystemExit(1 if failed or not asked else 0)


def _terminate(children):
    for child in list(children):
        os.kill(child, signal.SIGTERM)


def _serve(listener, app, workers):
    stop = threading.Event()
    threads = [threading.Thread(target=_supervise, args=(each, stop), name=each.name, daemon=True) for each in workers]
    server = create_server(
        logged(app),
        sockets=[listener],
        threads=THREADS,
        connection_limit=CONNECTIONS,
        channel_timeout=IDLE_SECONDS,
        cleanup_interval=5,
        max_request_header_size=HEADER_BYTES,
        max_request_body_size=BODY_BYTES,
        asyncore_use_poll=True,  # select() dies above file descriptor 1023
        ident=None,
    )
    server.channel_class = Channel
    for number in (signal.SIGTERM, signal.SIGINT) if threading.current_thread() is threading.main_thread() else ():
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: stop.set())
    for thread in threads:
        thread.start()
    threading.Thread(target=_watchdog, args=(workers, stop), daemon=True).start()
    threading.Thread(target=keep_room, args=(server, stop), daemon=True).start()
    threading.Thread(target=_stop_in_order, args=(server, stop, threads), daemon=True).start()
    log.info("serving", extra={"address": "{}:{}".format(*listener.getsockname()[:2]), "pid": os.getpid()})
    server.run()


def _supervise(worker, stop):
    while not stop.is_set():
        try:
            worker.run(stop)
        except Exception as error:
            log.exception("%s failed; it starts again in %s s", worker.name, RETRY_SECONDS)
            worker.status.write({**worker.status.read(), "failing": str(error)[:200]})
            stop.wait(RETRY_SECONDS)


def _watchdog(workers, stop):
    """A thread stuck in a library cannot be ended from Python: end the process, so that it is started again."""
    while not stop.wait(1):
        for worker in workers:
            if worker.status.age() > STUCK_SECONDS:
                log.critical("%s has been stuck for %s s: ending the process", worker.name, STUCK_SECONDS)
                os._exit(1)


def _stop_in_order(server, stop, threads):
    stop.wait()
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


def _busy(server):
    channels = list(server.active_channels.values())
    return bool(server.task_dispatcher.queue) or any(each.requests or each.total_outbufs_len for each in channels)
