"""Renews the pictures of the pages in docs: `python -m tests.screenshots`, on a system with the seeds only.

Needs WALLET_URL, BALANCES_URL and KAFKA_BOOTSTRAP_SERVERS. Makes transfers, and sends one record that Balances parks.
"""

import os
import tempfile
import time
from pathlib import Path

import requests
from kafka import KafkaProducer

from tests.browser import Browser
from tests.eventually import eventually

WALLET_URL, BALANCES_URL = os.environ["WALLET_URL"], os.environ["BALANCES_URL"]
DOCS = Path(__file__).resolve().parents[1] / "docs"
FIRST, SECOND = (f"a0000000-0000-4000-8000-00000000000{number}" for number in (1, 2))
DESKTOP, PHONE = (720, 760), (390, 844)
CHART_SECONDS = 6  # until the charts show something


def main() -> None:
    # A killed browser may still write to its profile while the folder is removed.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile, Browser(Path(profile)) as window:
        _send_unreadable_record()
        for page, name, size, languages, dark in (
            (_wallet, "wallet", DESKTOP, "en-US,en", False),
            (_balances, "balances", DESKTOP, "en-US,en", False),
            (_wallet, "wallet.pt-BR", DESKTOP, "pt-BR,pt", False),
            (_balances, "balances.pt-BR", DESKTOP, "pt-BR,pt", False),
            (_wallet, "wallet-phone", PHONE, "en-US,en", False),
            (_balances, "balances-dark", DESKTOP, "en-US,en", True),
        ):
            window.prefer(languages)
            window.resize(*size, dark=dark)
            page(window)
            window.screenshot(DOCS / f"{name}.png")


def _wallet(window: Browser) -> None:
    window.open(WALLET_URL)
    eventually(lambda: window.text("#rows"))
    time.sleep(CHART_SECONDS)
    window.fill("#amount", "1,50")
    window.click("#send")
    eventually(lambda: window.run("document.querySelectorAll('#steps li:not(.waiting)').length") == 3)
    time.sleep(CHART_SECONDS)
    window.run("scrollTo(0, 0)")


def _balances(window: Browser) -> None:
    window.open(BALANCES_URL)
    eventually(lambda: window.text("#arrivals") and window.text("#rows"))
    time.sleep(CHART_SECONDS)
    transfer = {"account_id_from": FIRST, "account_id_to": SECOND, "amount": 1}
    assert requests.post(f"{WALLET_URL}/transactions", json=transfer, timeout=5).ok
    eventually(lambda: window.run("document.querySelector('#arrivals .marked') !== null"))


def _send_unreadable_record() -> None:
    producer = KafkaProducer(bootstrap_servers=os.environ["KAFKA_BOOTSTRAP_SERVERS"])
    producer.send("balances", b'{"Name":"BalanceUpdated"}').get(timeout=10)
    producer.close()


if __name__ == "__main__":
    main()
