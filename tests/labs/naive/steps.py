"""What the naive programs share: their servers, and the line that each writes for the diagram of the run."""

import json
import os
import signal
import time
from typing import Any

import pymysql

TOPIC = os.environ.get("TOPIC", "")
BOOTSTRAP = os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "")
KAFKA = {"bootstrap_servers": BOOTSTRAP, "api_version": (3, 9), "reconnect_backoff_max_ms": 1000}


def connect() -> "pymysql.connections.Connection[Any]":
    """A connection to the database of the naive programs; a statement takes effect with `commit()`."""
    return pymysql.connect(**json.loads(os.environ["MYSQL"]))


def step(name: str, source: str, target: str, text: str) -> None:
    """Write that a message went from one lane of the diagram to another.

    The process stops itself here (SIGSTOP) when the variable STOP_AT has this name: the lab decides what happens next.
    """
    line = {"at": time.time(), "name": name, "source": source, "target": target, "text": text}
    print(json.dumps(line), flush=True)
    if os.environ.get("STOP_AT") == name:
        del os.environ["STOP_AT"]
        os.kill(os.getpid(), signal.SIGSTOP)
