"""How the page of Wallet reads and writes amounts: its own pure functions, run in a real browser."""

import json
import os
from typing import Any

import pytest

from tests.browser import Browser

WALLET_URL = os.environ.get("WALLET_URL")

pytestmark = pytest.mark.skipif(not WALLET_URL, reason="WALLET_URL is not set")


@pytest.fixture(scope="module")
def window(tab: Browser) -> Browser:
    """The page of Wallet, opened once: these tests change nothing in it."""
    tab.open(str(WALLET_URL))
    return tab


def parsed(window: Browser, text: str) -> Any:
    return window.run(f"import('/static/money.js').then(money => money.parseMoney({json.dumps(text)}))")


@pytest.mark.parametrize(
    ("text", "cents"),
    [
        ("10", 1000),
        ("1,50", 150),
        ("1.50", 150),
        ("1,5", 150),
        ("1.5", 150),
        (" 1,50 ", 150),
        (",50", 50),
        ("0,07", 7),
        ("0.01", 1),
        ("1000", 100_000),
        ("1.000,00", 100_000),
        ("1,000.00", 100_000),
        ("1.000,5", 100_050),
        ("1 000", 100_000),
        ("1\u202f000,25", 100_025),
        ("1.000.000", 100_000_000),
        ("1,000,000", 100_000_000),
        ("12.345.678,90", 1_234_567_890),
        ("12,345,678.90", 1_234_567_890),
        ("9999999999999.99", 999_999_999_999_999),
        ("9.999.999.999.999,99", 999_999_999_999_999),
    ],
)
def test_an_amount_is_read_as_people_write_it(window: Browser, text: str, cents: int) -> None:
    assert parsed(window, text) == {"cents": cents}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("1,500", "ambiguous"),
        ("1.500", "ambiguous"),
        ("999,999", "ambiguous"),
        ("0,500", "decimals"),
        ("1234,567", "decimals"),
        ("1.000,000", "decimals"),
        ("0.001", "decimals"),
        ("0", "zero"),
        ("0,00", "zero"),
        ("10000000000000", "too_large"),
        ("ten", "not_a_number"),
        ("-1", "not_a_number"),
        ("1e3", "not_a_number"),
        ("5,", "not_a_number"),
        (",", "not_a_number"),
        ("1,50,5", "not_a_number"),
        ("1.000.50", "not_a_number"),
        ("1.00,00.00", "not_a_number"),
        ("1.0000,00", "not_a_number"),
        ("0x10", "not_a_number"),
        ("١٢", "not_a_number"),
        ("R$ 5", "not_a_number"),
        ("Infinity", "not_a_number"),
    ],
)
def test_what_is_no_clear_amount_is_refused_with_its_problem(window: Browser, text: str, problem: str) -> None:
    assert parsed(window, text) == {"problem": problem}


def test_every_amount_that_a_page_shows_is_read_back_as_the_same_amount(window: Browser) -> None:
    differing = window.run(
        "import('/static/money.js').then(({formatMoney, parseMoney}) => ['en-US', 'pt-BR'].flatMap(locale =>"
        " [1, 7, 150, 99999, 100000, 123456789, 999999999999999].filter(cents =>"
        " parseMoney(formatMoney(cents / 100, locale)).cents !== cents)))"
    )

    assert differing == []
