"""What every unit test begins with."""

import pytest

from common import log


@pytest.fixture(autouse=True)
def _no_configured_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that an earlier test ran has configured the log of this process: undo that."""
    monkeypatch.setattr(log, "_configured", [])
