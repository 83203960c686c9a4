"""The folder in which the processes of a service keep their metrics, so that each reports those of all.

A module of its own, because the folder must exist before prometheus_client is imported.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_PREFIX = "metrics-"


@contextmanager
def shared_metrics(processes: int) -> Iterator[None]:
    """Let the processes that are forked inside the block share their metrics. A single process needs no folder."""
    os.environ.pop(FOLDER_VARIABLE, None)  # the values of another service's processes would be reported as ours
    if processes == 1:
        yield
        return
    _remove_abandoned()
    folder, lock = _create_locked()
    os.environ[FOLDER_VARIABLE] = str(folder)
    try:
        yield
    finally:
        shutil.rmtree(folder)
        os.close(lock)


def _create_locked() -> tuple[Path, int]:
    """A new folder and the descriptor of its lock: the parent and all its children hold that lock until they end."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        lock = os.open(folder, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():  # another service that starts now may have taken it for an abandoned one
            return folder, lock
        os.close(lock)


def _remove_abandoned() -> None:
    """Remove the folders of services that ended by SIGKILL: nobody holds their lock any more."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):  # another user's folder, or one that another service removes now
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
            finally:
                os.close(lock)
