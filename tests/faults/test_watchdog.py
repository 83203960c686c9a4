"""A worker's thread that is stuck in a library cannot be ended from Python: the process ends itself."""

import os
import subprocess
import sys
import time

import pytest
import requests

from tests.eventually import eventually
from tests.faults.system import ROOT, System

# The wallet with a relay that hangs in its first step.
STUCK = """
import threading
from common.mysql import Database
from common.runner import Worker, run
from common.worker_status import WorkerStatus
from wallet.api import create_app

status = WorkerStatus()
app = create_app(Database("mysql://wallet:wallet@127.0.0.1:{mysql}/wallet"), status, lambda: None)
relay = Worker("relay", lambda stop: threading.Event().wait(), status)
run(lambda first: (app, [relay]), "127.0.0.1", {port})
"""


@pytest.mark.timeout(120, func_only=True)
def test_a_stuck_worker_is_in_ready_and_then_ends_the_process():
    system = System()
    port = system.port("wallet-9")
    started = time.monotonic()

    process = subprocess.Popen(
        [sys.executable, "-c", STUCK.format(mysql=system.database_port, port=port)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
    )
    ready = f"http://127.0.0.1:{port}/ready"
    eventually(lambda: requests.get(ready, timeout=5).status_code == 200, 20, "the start", (requests.RequestException,))
    eventually(lambda: requests.get(ready, timeout=5).status_code == 503, 40, "/ready to report it")
    facts = requests.get(ready, timeout=5).json()
    reported_after = time.monotonic() - started
    code = process.wait(timeout=60)

    ended_after = time.monotonic() - started

    print(f"\na stuck relay: in /ready after {reported_after:.0f} s, the process ended after {ended_after:.0f} s")
    assert facts["relay"] == "stuck"
    assert code == 1
