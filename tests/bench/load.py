"""HTTP load on one or several ports: by wrk where it is installed, else by the Python client."""

import functools
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench import python_client
from tests.bench.report import percentile
from tests.bench.workload import Workload

SCRIPT = Path(__file__).with_name("load.lua")
TIMEOUT_SECONDS = 10  # for one response; a later one counts as failed


@dataclass(frozen=True)
class Load:
    """The outcome of a load. `failed` counts responses with an error status, timeouts and broken connections."""

    per_second: float
    p50_ms: float
    p99_ms: float
    failed: int

    def values(self, name: str) -> dict[str, float]:
        """The measurements NAME (requests/s), NAME_p50, NAME_p99 (ms) and NAME_failed."""
        return {
            name: self.per_second,
            f"{name}_p50": self.p50_ms,
            f"{name}_p99": self.p99_ms,
            f"{name}_failed": float(self.failed),
        }


def run(workload: Workload, ports: Sequence[int], connections: int, seconds: int) -> Load:
    """Send requests over keep-alive connections, evenly divided between the ports, for `seconds`."""
    if shutil.which("wrk") is None:
        outcome = python_client.run(workload, ports, connections, seconds)
        latencies_ms = [1000 * each for each in outcome.latencies]
        return Load(outcome.per_second, percentile(latencies_ms, 50), percentile(latencies_ms, 99), outcome.failed)
    # One thread of wrk for each port: only a thread can have an address of its own.
    options = [f"-t{len(ports)}", f"-c{connections}", f"-d{seconds}s", f"--timeout={TIMEOUT_SECONDS}s", f"-s{SCRIPT}"]
    done = subprocess.run(
        ["wrk", *options, f"http://127.0.0.1:{ports[0]}"],
        env={**os.environ, **workload.as_environment(), "BENCH_PORTS": " ".join(map(str, ports))},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=seconds + 2 * TIMEOUT_SECONDS,
    )
    return parse(done.stdout)


def parse(output: str) -> Load:
    """The outcome in the output of wrk: load.lua prints it as one line of JSON. Raises ValueError without that line."""
    lines = [line for line in output.splitlines() if line.startswith('{"requests"')]
    if len(lines) != 1:
        raise ValueError(f"the output of wrk has no summary of load.lua: {output[-500:]!r}")
    summary = json.loads(lines[0])
    return Load(
        per_second=summary["requests"] / (summary["microseconds"] / 1_000_000),
        p50_ms=summary["p50_microseconds"] / 1000,
        p99_ms=summary["p99_microseconds"] / 1000,
        failed=summary["failed"],
    )


@functools.cache
def generator() -> str:
    """Which program generates the load, with its version."""
    if shutil.which("wrk") is None:
        return "the bench's Python client, because wrk is not installed (apt-get install wrk, brew install wrk)"
    done = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False)  # exits with 1
    return " ".join(done.stdout.split()[:2])
