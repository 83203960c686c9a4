"""Both pages in a real browser, on a running system: what a person does and sees there."""

import os
import re

import pytest
import requests

from tests.eventually import eventually

WALLET_URL, BALANCES_URL = os.environ.get("WALLET_URL"), os.environ.get("BALANCES_URL")
FIRST, SECOND = (f"a0000000-0000-4000-8000-00000000000{number}" for number in (1, 2))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not WALLET_URL or not BALANCES_URL, reason="WALLET_URL and BALANCES_URL are not set"),
]


@pytest.fixture
def wallet(window):
    return _opened(window, WALLET_URL)


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
    outcome = wallet.text("#outcome")
    response = wallet.run("document.querySelector('#response pre').textContent")
    _transfer(wallet, SECOND, FIRST, "0,01")  # and back: the demo stays as it was

    assert re.fullmatch(r"Transferred 0\.01 from .+ …0001 to .+ …0002\.", outcome)
    assert response.startswith("201 Created\nSequence: ")
    assert '"amount": 0.01' in response
    eventually(lambda: f"{before:,.2f}" in _row(wallet, FIRST))
    assert wallet.errors == []


def test_the_way_of_a_transfers_event_is_shown_until_balances_has_applied_it(wallet):
    _transfer(wallet, FIRST, SECOND, "0.01")

    steps = eventually(lambda: "Applied by Balances" in wallet.text("#steps") and wallet.text("#steps"))

    place = re.search(r"Sent to (balances\[\d+\]@\d+)[: ]", steps)[1]
    assert re.search(r"Committed in MySQL: Wallet answered after [\d,.]+ ms", steps)
    assert re.search(r"acknowledged [\d,.]+ ms after the commit", steps)
    assert wallet.errors == []
    wallet.click("#other")  # the page of Balances
    eventually(lambda: place in wallet.text("#arrivals"))
    assert wallet.run("document.title") == "Balances"
    _post_transfer(SECOND, FIRST)


def test_an_account_that_is_opened_from_the_page_receives_a_transfer_and_lists_it(wallet):
    wallet.click("#opening summary")
    wallet.fill("#name", "Zoé of the page")
    wallet.fill("#email", "zoe@example.org")
    wallet.click("#account button")
    outcome = eventually(lambda: wallet.text("#account-outcome"))
    account = re.fullmatch(r"Zoé of the page has a new account: (.+)\.", outcome)[1]

    _transfer(wallet, FIRST, account, "1,50")
    wallet.fill("#search", account)
    wallet.click("#rows button")

    eventually(lambda: re.search(r"From .+ …0001\s[\s\S]*\+1\.50", wallet.text("#history-rows")))
    eventually(lambda: "1.50" in wallet.text("#rows"))  # only accounts with money are offered as senders
    _transfer(wallet, account, FIRST, "1.50")
    eventually(lambda: wallet.run("document.querySelectorAll('#history-rows tr').length") == 2)
    assert wallet.errors == []


def test_the_wallets_page_shows_a_refusal_as_a_sentence(wallet):
    _transfer(wallet, FIRST, SECOND, "9.999.999,00")

    assert re.fullmatch(
        r"Refused: .+ …0001 has [\d,]+\.\d\d, less than 9,999,999\.00\.",
        wallet.text("#outcome"),
    )


def test_a_transfer_without_an_answer_keeps_its_key_and_is_done_once(wallet):
    wallet.run(
        "window.keys = []; window.send = window.fetch; window.fetch = (path, options) =>"
        " { if (options.method) keys.push(options.headers['Idempotency-Key']); return send(path, options); }"
    )
    before = requests.get(f"{WALLET_URL}/accounts/{FIRST}", timeout=5).json()["balance"]
    wallet.disconnect()

    _transfer(wallet, FIRST, SECOND, "0.01")
    outcome = wallet.text("#outcome")
    eventually(lambda: "does not answer" in wallet.text("#state"))
    wallet.disconnect(offline=False)
    wallet.click("#send")
    eventually(lambda: wallet.text("#outcome").startswith("Transferred"))

    first, again = wallet.run("keys")
    assert first == again
    assert "the outcome is unknown" in outcome
    after = requests.get(f"{WALLET_URL}/accounts/{FIRST}", timeout=5).json()["balance"]
    assert round(before - after, 2) == 0.01
    _transfer(wallet, SECOND, FIRST, "0.01")


def test_the_page_of_balances_shows_the_events_and_marks_what_changes(balances):
    eventually(lambda: balances.text("#state") == "Ready")
    assert balances.text("#consumer") == "consuming"
    assert balances.text("#kafka") == "up"

    _post_transfer(FIRST, SECOND)
    marked = eventually(lambda: balances.run("[...document.querySelectorAll('.marked')].map(row => row.innerText)"))

    assert any(FIRST in row or SECOND in row for row in marked)
    assert any(each in _rows(balances)[0] for each in (FIRST, SECOND))  # the last that changed comes first
    expected = requests.get(f"{BALANCES_URL}/balances/{FIRST}", timeout=5).json()["balance"]
    eventually(lambda: any(FIRST in row and f"{expected:,.2f}" in row for row in _rows(balances)))
    assert balances.text("#event") in ("now", "1s ago", "2s ago", "3s ago")
    assert balances.errors == []
    _post_transfer(SECOND, FIRST)


def test_the_page_of_balances_shows_when_its_service_does_not_answer_and_keeps_its_rows(balances):
    known = _rows(balances)
    balances.disconnect()

    state = eventually(lambda: "does not answer" in balances.text("#state") and balances.text("#state"))

    assert "its last answer" in state
    assert [row.split()[:2] for row in _rows(balances)] == [row.split()[:2] for row in known]
    balances.disconnect(offline=False)
    eventually(lambda: balances.text("#state") == "Ready")


@pytest.mark.parametrize("url", [WALLET_URL, BALANCES_URL], ids=["wallet", "balances"])
def test_a_page_fits_a_telephone(window, url):
    window.resize(width=360, height=740)

    window.open(url)
    eventually(lambda: FIRST in window.text("body"))

    assert window.run("document.documentElement.scrollWidth") <= 360


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
    assert {"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"} <= set(
        policy.split("; ")
    )
    assert "unsafe" not in policy
    assert "style=" not in answer.text
    assert not re.search(r"<script(?! type=\"module\" src=)|<style", answer.text)
    assert not [name for name in answer.headers if name.startswith("Access-Control-")]


def _opened(window, url):
    window.open(url)
    eventually(lambda: _lists(window, FIRST), seconds=20)
    window.errors.clear()
    return window


def _lists(window, account_id):
    """Whether the page lists the account. Until it does, the button for more rows is pressed."""
    listed = account_id in window.text("#rows")
    if not listed and window.visible("#more"):
        window.click("#more")
    return listed


def _transfer(wallet, source, target, amount):
    wallet.run("document.querySelector('#outcome').textContent = ''")
    wallet.fill("#from", source)
    wallet.fill("#to", target)
    wallet.fill("#amount", amount)
    wallet.click("#send")
    eventually(lambda: wallet.text("#outcome"))


def _post_transfer(source, target):
    body = {"account_id_from": source, "account_id_to": target, "amount": 0.01}
    assert requests.post(f"{WALLET_URL}/transactions", json=body, timeout=5).status_code == 201


def _row(window, account_id):
    return next(row for row in _rows(window) if account_id in row)


def _rows(window):
    return window.run("[...document.querySelectorAll('#rows tr')].map(row => row.innerText)")
