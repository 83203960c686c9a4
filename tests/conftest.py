"""What all tests share: how hypothesis searches, and a real browser."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests import browser

# No deadline for a single example: on a busy machine it would fail now and then. pytest-timeout bounds each test.
settings.register_profile("house", deadline=None)
settings.load_profile("house")


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[browser.Browser]:
    """A page of a real browser. Skips the test where no browser is installed."""
    if not browser.program():
        pytest.skip("no browser here: apt-get install chromium")
    with browser.Browser(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.fixture
def window(tab: browser.Browser) -> Iterator[browser.Browser]:
    """The page in English, 900 pixels wide; all that a test leaves in it is undone."""
    tab.prefer("en-US,en")
    tab.resize(900, 900)
    yield tab
    tab.run("sessionStorage.clear()")
    tab.open("about:blank")
    tab.errors.clear()
    tab.requests.clear()
