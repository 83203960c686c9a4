"""Both pages in a real browser, on a running system: what a person does and sees there."""

import os

import pytest
import requests

from tests import browser
from tests.eventually import eventually

WALLET_URL, BALANCES_URL = os.environ.get("WALLET_URL"), os.environ.get("BALANCES_URL")
FIRST, SECOND = (f"a0000000-0000-4000-8000-00000000000{number}" for number in (1, 2))

pytestmark = [
    pytest.mark.skipif(not WALLET_URL or not BALANCES_URL, reason="WALLET_URL and BALANCES_URL are not set"),
    pytest.mark.skipif(not browser.program(), reason="no browser here: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    with browser.Browser(tmp_path_factory.mktemp("profile")) as window:
        yield window


@pytest.fixture
def wallet(window):
    _opened(window, WALLET_URL)
    eventually(lambda: window.run("document.querySelector('#to').selectedIndex") == 1)  # offered once all are listed
    return window


@pytest.fixture
def balances(window):
    return _opened(window, BALANCES_URL)


def test_the_wallets_page_shows_the_accounts_with_owner_and_balance(wallet):
    shown = _row(wallet, FIRST)

    account = requests.get(f"{WALLET_URL}/accounts/{FIRST}", timeout=5).json()
    owner = requests.get(f"{WALLET_URL}/clients/{account['client_id']}", timeout=5).json()
    assert owner["name"] in shown
    assert f"{account['balance']:,.2f}" in shown


def test_a_transfer_sent_with_the_form_shows_its_answer_and_the_new_balances(wallet):
    before = requests.get(f"{WALLET_URL}/accounts/{FIRST}", timeout=5).json()["balance"]

    _transfer(wallet, FIRST, SECOND, "0.01")
    answer = eventually(lambda: wallet.text("#answer"))
    _transfer(wallet, SECOND, FIRST, "0.01")  # and back: the demo stays as it was

    assert answer.startswith("201 Created, sequence ")
    assert '"amount": 0.01' in answer
    eventually(lambda: f"{before:,.2f}" in _row(wallet, FIRST))
    assert wallet.complaints == []


def test_the_wallets_page_shows_a_refusal_in_the_services_own_words(wallet):
    _transfer(wallet, FIRST, FIRST, "0.01")

    answer = eventually(lambda: wallet.text("#answer"))

    assert answer.startswith("422 ")
    assert "cannot transfer to itself" in answer
    wallet.complaints.clear()  # a browser notes each refusal


def test_a_transfer_without_an_answer_keeps_its_key_and_is_done_once(wallet):
    wallet.run(
        "window.keys = []; window.send = window.fetch; window.fetch = (path, options) =>"
        " { if (options.method) keys.push(options.headers['Idempotency-Key']); return send(path, options); }"
    )
    before = requests.get(f"{WALLET_URL}/accounts/{FIRST}", timeout=5).json()["balance"]
    wallet.disconnect()

    _transfer(wallet, FIRST, SECOND, "0.01")
    words = eventually(lambda: wallet.text("#answer"))
    road = eventually(lambda: "does not answer" in wallet.text("#road") and wallet.text("#road"))
    wallet.disconnect(away=False)
    wallet.click("#send")
    eventually(lambda: wallet.text("#answer").startswith("201 Created"))

    first, again = wallet.run("keys")
    assert first == again
    assert "No answer" in words
    assert "The wallet does not answer" in road
    after = requests.get(f"{WALLET_URL}/accounts/{FIRST}", timeout=5).json()["balance"]
    assert round(before - after, 2) == 0.01
    wallet.complaints.clear()


def test_the_page_of_balances_follows_the_events_and_marks_what_changes(balances):
    eventually(lambda: balances.text("#state") == "ready")
    assert balances.text("#consumer") == "consuming"
    assert balances.text("#kafka") == "up"

    _post_transfer(FIRST, SECOND)
    marked = eventually(lambda: balances.run("[...document.querySelectorAll('.marked')].map(row => row.innerText)"))

    assert any(FIRST in row or SECOND in row for row in marked)
    expected = requests.get(f"{BALANCES_URL}/balances/{FIRST}", timeout=5).json()["balance"]
    eventually(lambda: any(FIRST in row and f"{expected:,.2f}" in row for row in _rows(balances)))
    assert balances.text("#event") in ("now", "1 s ago", "2 s ago", "3 s ago")
    assert balances.complaints == []
    _post_transfer(SECOND, FIRST)


def test_the_page_of_balances_says_when_its_service_is_away_and_keeps_what_it_knew(balances):
    known = _rows(balances)
    balances.disconnect()

    state = eventually(lambda: "does not answer" in balances.text("#state") and balances.text("#state"))

    assert "this is what it said last" in state
    assert _rows(balances) == known
    balances.disconnect(away=False)
    eventually(lambda: balances.text("#state") == "ready")
    balances.complaints.clear()


@pytest.mark.parametrize("url", [WALLET_URL, BALANCES_URL], ids=["wallet", "balances"])
def test_a_page_fits_a_telephone(window, url):
    window.resize(width=360, height=740)

    window.open(url)
    eventually(lambda: FIRST in window.text("body"))

    assert window.run("document.documentElement.scrollWidth") <= 360
    window.resize(width=900, height=900)


@pytest.mark.parametrize("url", [WALLET_URL, BALANCES_URL], ids=["wallet", "balances"])
def test_no_other_script_runs_in_a_page_and_no_other_site_may_show_it(window, url):
    answer = requests.get(url, timeout=5)
    window.open(url)

    ran = window.run(
        "(() => { const script = document.createElement('script'); script.textContent = 'window.evil = 1';"
        " document.body.append(script); return window.evil; })()"
    )

    assert ran is None
    policy = answer.headers["Content-Security-Policy"]
    assert {"default-src 'none'", "frame-ancestors 'none'"} <= set(policy.split("; "))
    assert "unsafe" not in policy
    assert not [name for name in answer.headers if name.startswith("Access-Control-")]
    window.complaints.clear()  # the browser says which script it kept out


def _opened(window, url):
    window.open(url)
    eventually(lambda: _lists(window, FIRST), seconds=20)
    window.complaints.clear()
    return window


def _lists(window, account_id):
    """Whether the page lists the account; as long as it does not, "More" is pressed."""
    listed = account_id in window.text("tbody")
    if not listed and window.visible("#more"):
        window.click("#more")
    return listed


def _transfer(wallet, source, target, amount):
    wallet.run("document.querySelector('#answer').textContent = ''")
    wallet.fill("#from", source)
    wallet.fill("#to", target)
    wallet.fill("#amount", amount)
    wallet.click("#send")
    eventually(lambda: wallet.text("#answer"))


def _post_transfer(source, target):
    body = {"account_id_from": source, "account_id_to": target, "amount": 0.01}
    assert requests.post(f"{WALLET_URL}/transactions", json=body, timeout=5).status_code == 201


def _row(window, account_id):
    return next(row for row in _rows(window) if account_id in row)


def _rows(window):
    return window.run("[...document.querySelectorAll('tbody tr')].map(row => row.innerText)")
