"""GET /docs: the description of the API as a page that sends requests, in a real browser."""

import pytest

from tests.browser import Browser
from tests.eventually import eventually
from tests.integration.page_server import PageServer, account, balance

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

LISTS = {"wallet": ("Accounts/getAccounts", "accounts"), "balances": ("Balances/getBalances", "balances")}
TOKEN = "a-token-of-this-test"
LOAD_SECONDS = 30  # the viewer is 1.7 MB of JavaScript, and a busy machine takes its time

of_each_service = pytest.mark.parametrize("name", LISTS)


@of_each_service
def test_the_page_shows_every_operation_and_breaks_no_rule_of_its_security_policy(window: Browser, name: str) -> None:
    with PageServer(name) as service:
        window.open(f"{service.url}/docs")

        eventually(lambda: window.run("document.querySelectorAll('.opblock').length") >= 8, LOAD_SECONDS)
        assert window.text("h1, h2.title").startswith(name.capitalize())
        assert window.run("document.title") == f"{name.capitalize()} API"
        assert window.errors == []
        policy = window.run("fetch('/docs').then(response => response.headers.get('Content-Security-Policy'))")
        assert "script-src 'self'; style-src 'self'; img-src 'self' data:" in policy
        assert "unsafe" not in policy


@of_each_service
def test_the_page_asks_no_other_site(window: Browser, name: str) -> None:
    with PageServer(name) as service:
        window.open(f"{service.url}/docs")
        eventually(lambda: window.run("document.querySelectorAll('.opblock').length"), LOAD_SECONDS)

        asked = [url for _, url in window.requests if not url.startswith(("data:", "about:"))]

        assert asked
        assert [url for url in asked if not url.startswith(service.url)] == []


@of_each_service
def test_try_it_out_sends_a_request_and_shows_its_response(window: Browser, name: str) -> None:
    with PageServer(name) as service:
        service.items = [account("a1", "Ana Souza", 5)] if name == "wallet" else [balance("a1", 5)]

        shown = _try(window, service, name)

        assert shown.startswith("200")
        assert '"a1"' in shown
        assert any(f"/{LISTS[name][1]}?limit=" in url for _, url in window.requests)
        assert window.errors == []


@of_each_service
def test_with_authentication_the_page_asks_for_the_token_and_sends_it(window: Browser, name: str) -> None:
    with PageServer(name, TOKEN) as service:
        window.open(f"{service.url}/docs")
        eventually(lambda: window.visible("#login"))
        window.fill("#token", "another")
        window.click("#login button")
        eventually(lambda: "refused" in window.text("#token-problem"))
        window.fill("#token", TOKEN)
        window.click("#login button")
        eventually(lambda: window.run("document.querySelectorAll('.opblock').length"), LOAD_SECONDS)
        hidden = not window.visible("#login")

        shown = _try(window, service, name)

        assert hidden
        assert shown.startswith("200")


@of_each_service
def test_the_page_of_the_service_links_to_it(window: Browser, name: str) -> None:
    with PageServer(name) as service:
        window.open(service.url)
        eventually(lambda: window.text("footer a"))
        window.click("footer a")

        eventually(lambda: window.run("location.pathname") == "/docs")


def test_a_transfer_can_be_sent_from_the_page(window: Browser) -> None:
    with PageServer("wallet") as service:
        shown = _try(window, service, "wallet", "Transactions/createTransaction")

        assert shown.startswith("201")
        assert [transfer["amount"] for transfer in service.transfers] == [100]


def _try(window: Browser, service: PageServer, name: str, operation: str = "") -> str:
    """Send the example request of the operation; return the status and the body that the page shows."""
    window.open("about:blank")  # a change of the fragment alone would not load the page
    window.open(f"{service.url}/docs#/{operation or LISTS[name][0]}")
    eventually(lambda: window.visible(".opblock.is-open .try-out__btn"), LOAD_SECONDS)

    def can_be_executed() -> bool:
        # The viewer scrolls to the operation after it has loaded: a click before that hits another place.
        if window.visible(".opblock.is-open .try-out__btn:not(.cancel)"):
            window.click(".opblock.is-open .try-out__btn:not(.cancel)")
        return bool(window.visible(".opblock.is-open button.execute"))

    eventually(can_be_executed, LOAD_SECONDS)
    window.click(".opblock.is-open button.execute")
    return str(eventually(lambda: window.text(".opblock.is-open .live-responses-table tbody")))
