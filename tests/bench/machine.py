"""The machine and the programs of a measurement: absolute values mean nothing without them."""

import platform
from pathlib import Path

import psutil

from tests.bench import load, system


def describe() -> dict[str, str]:
    """Name -> value, in the order of a report."""
    ((server,),) = system.execute("balances", "SELECT VERSION()")
    one, five, fifteen = psutil.getloadavg()
    return {
        "processor": f"{_processor()}, {psutil.cpu_count()} cores",
        "memory": f"{psutil.virtual_memory().total / 1024**3:.1f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "database": server if "MariaDB" in server else f"MySQL {server}",
        "Kafka": system.kafka_version(),
        "load generator": load.generator(),
        "load average before": f"{one:.2f} {five:.2f} {fifteen:.2f} (1, 5, 15 minutes)",
    }


def _processor() -> str:
    """The model, which Python's platform module does not know on Linux."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.split(": ", 1)[1] for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()
