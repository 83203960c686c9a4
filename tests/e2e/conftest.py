"""A running system, reached over HTTP alone, at WALLET_URL and BALANCES_URL."""

import pytest
import requests

from tests.environment import needed
from tests.seeds import skip_without_seeds

SECONDS = 10  # for one answer


@pytest.fixture(scope="session", autouse=True)
def _seeds():
    skip_without_seeds()


@pytest.fixture(scope="session")
def wallet_url():
    return needed("WALLET_URL").rstrip("/")


@pytest.fixture(scope="session")
def balances_url():
    return needed("BALANCES_URL").rstrip("/")


@pytest.fixture(scope="session")
def wallet(wallet_url):
    """Sends a request: wallet("POST", path, …), as `requests` does."""
    with requests.Session() as session:
        yield lambda method, path, **options: session.request(method, wallet_url + path, timeout=SECONDS, **options)


@pytest.fixture(scope="session")
def balances(balances_url):
    """Sends a request to the other service."""
    with requests.Session() as session:
        yield lambda method, path, **options: session.request(method, balances_url + path, timeout=SECONDS, **options)
