"""Bearer authentication: with a token in the environment, every route but the public ones requires it."""

import pytest
import requests

import wallet.api
from tests.eventually import eventually
from tests.integration.service import NOWHERE, Service
from tests.integration.tables import execute

TOKEN = "correct-horse/7+="
AUTHENTICATED = {
    "wallet": [
        ("GET", "/accounts"),
        ("GET", "/accounts/ana"),
        ("GET", "/clients/ana"),
        ("GET", "/transactions/none"),
        ("POST", "/clients"),
        ("POST", "/accounts"),
        ("POST", "/transactions"),
        ("GET", "/metrics"),
        ("GET", "/openapi.json"),
    ],
    "balances": [("GET", "/balances"), ("GET", "/balances/ana"), ("GET", "/metrics"), ("GET", "/openapi.json")],
}
# A project made of this one may have no page.
PAGE = ["/", "/static/page.css"] if wallet.api.PAGE.is_dir() else []
ROUTES = [(name, *route) for name, routes in AUTHENTICATED.items() for route in routes]


@pytest.fixture(scope="module")
def services(wallet_url, balances_url, tmp_path_factory):
    """Both, each with the token in a file, as an orchestrator hands it over."""
    folder = tmp_path_factory.mktemp("access")
    (folder / "token").write_text(f"{TOKEN}\n", encoding="utf-8")

    def served(name, url):
        options = {
            "DATABASE_URL": url,
            "KAFKA_BOOTSTRAP_SERVERS": NOWHERE,
            f"{name.upper()}_TOKEN_FILE": folder / "token",
        }
        return Service(["-m", name], folder / f"{name}.log", **{key: str(value) for key, value in options.items()})

    with served("wallet", wallet_url) as wallet, served("balances", balances_url) as balances:
        yield {"wallet": wallet, "balances": balances}


def ask(service, method, path, authorization=None):
    headers = {"Authorization": authorization.encode()} if authorization else {}
    return requests.request(method, service.url + path, headers=headers, json={}, timeout=10)


@pytest.mark.parametrize(("name", "method", "path"), ROUTES)
def test_without_the_token_a_request_is_refused(services, name, method, path):
    answer = ask(services[name], method, path)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == 401


@pytest.mark.parametrize(("name", "method", "path"), ROUTES)
def test_with_the_token_a_request_is_authenticated(services, name, method, path):
    assert ask(services[name], method, path, f"Bearer {TOKEN}").status_code != 401


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer",
        "Bearer ",
        "Bearer x",
        TOKEN,
        f"Basic {TOKEN}",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN.upper()}",
        f"Bearer Bearer {TOKEN}",
        f"Bearer {TOKEN}, Bearer x",
    ],
)
def test_what_is_nearly_the_token_is_not_it(services, authorization):
    assert ask(services["wallet"], "GET", "/accounts", authorization).status_code == 401


def test_the_schemes_name_may_be_written_in_any_case(services):
    assert ask(services["wallet"], "GET", "/accounts", f"bEARER {TOKEN}").status_code == 200


@pytest.mark.parametrize("name", ["wallet", "balances"])
@pytest.mark.parametrize("path", ["/health", "/ready", *PAGE])
def test_the_page_health_and_readiness_are_public(services, name, path):
    assert ask(services[name], "GET", path).status_code in (200, 503)


def test_the_token_is_nowhere_in_the_log(services):
    ask(services["wallet"], "GET", "/accounts", f"Bearer {TOKEN}")

    log = services["wallet"].log.read_text()

    assert "bearer authentication enabled" in log
    assert "horse" not in log


def test_a_service_without_a_token_logs_once_that_authentication_is_disabled(wallet_url, tmp_path):
    with Service(
        ["-m", "wallet"], tmp_path / "log", DATABASE_URL=wallet_url, KAFKA_BOOTSTRAP_SERVERS=NOWHERE
    ) as wallet:
        assert ask(wallet, "GET", "/accounts").status_code == 200

    assert (tmp_path / "log").read_text().count("authentication disabled: the variable is not set") == 1


# ---- in the browser


@pytest.fixture
def ana(wallet_database, balances_database):
    execute(wallet_database, "INSERT INTO clients (id, name, email) VALUES ('ana', 'Ana <b>', 'ana@example.com')")
    execute(wallet_database, "INSERT INTO accounts (id, client_id, balance) VALUES ('<i>ana</i>', 'ana', 100)")
    execute(balances_database, "INSERT INTO balances (account_id, balance) VALUES ('<i>ana</i>', 100)")


@pytest.mark.parametrize("name", ["wallet", "balances"])
def test_a_page_asks_for_the_token_and_keeps_it_while_its_window_is_open(services, window, ana, name):
    window.open(services[name].url)
    eventually(lambda: window.visible("#token"))
    assert window.text("#token-problem") == "This service requires a token."
    assert window.text("#rows") == ""

    window.fill("#token", "wrong")
    window.click("#login button")
    eventually(lambda: "The token was refused" in window.text("#token-problem"))
    window.fill("#token", "não-latino-Ж")
    window.click("#login button")
    assert "ASCII characters only" in window.text("#token-problem")
    assert window.run("sessionStorage.getItem('token')") == "wrong"
    eventually(lambda: "ASCII characters only" in window.text("#state"))  # the next refused request repeats the reason
    assert "ASCII characters only" in window.text("#token-problem")
    window.fill("#token", TOKEN)
    window.click("#login button")
    eventually(lambda: "100.00" in window.text("#rows"))

    window.open(services[name].url)
    eventually(lambda: "100.00" in window.text("#rows"))
    assert not window.visible("#token")


def test_the_page_of_balances_shows_that_kafka_is_down_and_the_known_balances(services, window, ana):
    window.open(services["balances"].url)
    window.run(f"sessionStorage.setItem('token', {TOKEN!r})")

    eventually(lambda: window.text("#kafka") == "down", seconds=20)
    eventually(lambda: "Kafka is down" in window.text("#state"))

    eventually(lambda: "<i>ana</i>" in window.text("#rows"))  # as text


def test_the_wallets_page_shows_names_as_text_and_goes_on_without_kafka(services, window, ana):
    window.open(services["wallet"].url)
    window.run(f"sessionStorage.setItem('token', {TOKEN!r})")

    shown = eventually(lambda: window.text("#rows"))
    state = eventually(lambda: "Kafka is down" in window.text("#state"), seconds=20)

    assert "Ana <b>" in shown
    assert state
