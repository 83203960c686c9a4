"""The folder in which the processes of a service keep their metrics, so that each reports those of all.

Apart from common.metrics, because the folder has to exist before prometheus_client is imported.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


@contextmanager
def shared_metrics(processes: int) -> Iterator[None]:
    """Let the processes that are forked meanwhile share their metrics. A single process needs no folder."""
    os.environ.pop(FOLDER_VARIABLE, None)  # a folder with values of other processes would be reported as ours
    if processes == 1:
        yield
        return
    with TemporaryDirectory(prefix="metrics-") as folder:
        os.environ[FOLDER_VARIABLE] = folder
        yield
