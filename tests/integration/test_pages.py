"""What both pages show of each list and each state that a service can have, in a real browser."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_core_python.base import AXE_SCRIPT

from tests.browser import Browser
from tests.eventually import eventually
from tests.integration.page_server import (
    LISTS,
    PageServer,
    account,
    balance,
    consumed,
    dead_letter,
    published,
    refusal,
    transaction,
)

pytestmark = pytest.mark.slow

BOTH = pytest.mark.parametrize("name", ["wallet", "balances"])
STATE_SECONDS = 5  # a page shows within this that something is down


def sample(name: str, number: int) -> dict[str, object]:
    return (
        account(f"a{number:04}", f"Client {number:04}", 100.0) if name == "wallet" else balance(f"a{number:04}", 100.0)
    )


@BOTH
def test_a_row_that_is_no_longer_in_the_api_leaves_the_page(window: Browser, name: str) -> None:
    with PageServer(name) as service:
        service.items = [sample(name, 1), sample(name, 2)]
        window.open(service.url)
        eventually(lambda: "a0002" in window.text("#rows"))

        service.items = [sample(name, 1)]

        eventually(lambda: "a0002" not in window.text("main"))
        assert "a0001" in window.text("#rows")
        if name == "wallet":
            assert "0002" not in window.run("document.querySelector('#to').innerHTML")


@BOTH
def test_an_empty_list_is_shown_as_empty(window: Browser, name: str) -> None:
    with PageServer(name) as service:
        window.open(service.url)

        eventually(lambda: "There is no" in window.text("#note"))
        service.items = [sample(name, 1)]
        eventually(lambda: window.text("#note") == "")


@BOTH
@pytest.mark.parametrize("dependency", ["mysql", "kafka"])
def test_the_page_shows_within_seconds_that_a_dependency_is_down_and_back_up(
    window: Browser, name: str, dependency: str
) -> None:
    with PageServer(name) as service:
        service.items = [sample(name, 1)]
        window.open(service.url)
        eventually(lambda: window.text("#state") == "Ready")

        service.facts[dependency] = "down"
        eventually(lambda: window.text(f"#{dependency}") == "down", STATE_SECONDS)
        assert f"{dependency} is down" in window.text("#state").lower()

        service.facts[dependency] = "up"
        eventually(lambda: window.text(f"#{dependency}") == "up", STATE_SECONDS)
        assert window.text("#state") == "Ready"


@BOTH
def test_the_page_shows_in_time_that_mysql_hangs_though_no_list_is_answered(window: Browser, name: str) -> None:
    with PageServer(name) as service:
        service.items = [sample(name, 1)]
        window.open(service.url)
        eventually(lambda: window.text("#rows") and window.text("#state") == "Ready")
        window.requests.clear()
        # Right after a response: the page sends the next request for /ready as late as it can.
        eventually(lambda: any("/ready" in url for _, url in window.requests))

        service.mysql_answers.clear()
        eventually(lambda: "MySQL is down" in window.text("#state"), STATE_SECONDS)
        window.requests.clear()
        eventually(lambda: sum("/ready" in url for _, url in window.requests) == 2, 2 * STATE_SECONDS)
        assert [url for _, url in window.requests if f"/{LISTS[name][0]}?" in url] == []  # it would occupy a thread

        service.mysql_answers.set()
        eventually(lambda: window.text("#state") == "Ready", STATE_SECONDS)


@BOTH
def test_a_list_that_does_not_answer_is_named_while_the_service_does(window: Browser, name: str) -> None:
    path = f"/{LISTS[name][0]}"
    with PageServer(name) as service:
        window.open(service.url)
        eventually(lambda: window.text("#state") == "Ready")
        window.run(
            f"window.get = fetch; window.fetch = (url, options) => !url.startsWith('{path}?') ? get(url, options) :"
            " new Promise((_, fail) => options.signal.addEventListener('abort', () => fail(options.signal.reason)))"
        )

        eventually(lambda: window.text("#state") == f"{path} has not answered within 4 s.", 15)


@BOTH
def test_the_page_shows_that_an_announcement_is_required(window: Browser, name: str) -> None:
    with PageServer(name) as service:
        service.facts["announce_required"] = True
        window.open(service.url)

        eventually(lambda: "wallet announce" in window.text("#state"))
        assert window.text("#announcement") == "required"


@BOTH
def test_with_500_items_a_page_asks_at_most_twice_a_second_and_never_while_it_is_hidden(
    window: Browser, name: str
) -> None:
    with PageServer(name) as service:
        service.items = [sample(name, number) for number in range(500)]
        window.open(service.url)
        eventually(lambda: "of 500" in window.text("#note"))
        if name == "wallet":
            window.click("#send")  # the page follows an event at the same time

        window.requests.clear()
        eventually(lambda: len(window.requests) >= 8)
        sent = list(window.requests)
        times = [moment for moment, _ in sent]
        other = window.hide()
        eventually(lambda: window.run("document.hidden"))
        time.sleep(1.5)  # what had begun before the page was hidden comes to its end
        window.requests.clear()
        time.sleep(3)
        hidden = list(window.requests)
        window.show(other)

        assert {"/ready", "/events"} <= {urlsplit(url).path for _, url in sent}
        assert all(later - earlier > 0.4 for earlier, later in pairwise(times)), times
        assert hidden == []
        eventually(lambda: window.requests)


@BOTH
def test_500_items_are_shown_in_parts_and_each_is_found_by_search(window: Browser, name: str) -> None:
    with PageServer(name) as service:
        service.items = [sample(name, number) for number in range(500)]
        window.open(service.url)
        eventually(lambda: window.run("document.querySelectorAll('#rows tr').length") == 50)

        window.click("#more")
        assert window.run("document.querySelectorAll('#rows tr').length") == 100
        window.fill("#search", "A0499")

        assert window.run("document.querySelectorAll('#rows tr').length") == 1
        assert "a0499" in window.text("#rows")
        window.fill("#search", "<nobody>")
        assert "contains “<nobody>”" in window.text("#note")


@BOTH
def test_more_items_than_one_response_holds_are_read_in_several(window: Browser, name: str) -> None:
    with PageServer(name) as service:
        service.items = [sample(name, number) for number in range(2500)]
        window.open(service.url)

        eventually(lambda: "of 2,500" in window.text("#note"), 20)
        service.items = service.items[:-1]
        eventually(lambda: "of 2,499" in window.text("#note"), 20)


def test_an_account_is_found_by_its_name_without_accents(window: Browser) -> None:
    with PageServer("wallet") as service:
        service.items = [account("a1", "João Gonçalves", 1), account("a2", "Ana Souza", 1)]
        window.open(service.url)
        eventually(lambda: "Ana" in window.text("#rows"))

        window.fill("#search", "joao GONC")

        assert window.run("document.querySelectorAll('#rows tr').length") == 1


def test_accounts_with_money_come_first_and_only_these_are_offered_as_senders(window: Browser) -> None:
    with PageServer("wallet") as service:
        service.items = [account(f"a{number:04}", "Empty", 0) for number in range(500)] + [account("z", "Zoe", 5)]
        window.open(service.url)
        eventually(lambda: window.text("#rows"))

        assert window.text("#rows tr").startswith("Zoe")
        assert window.run("[...document.querySelectorAll('#from option')].map(option => option.value)") == ["z"]
        assert "5.00" in window.text("#from-balance")


def test_the_two_accounts_of_one_client_are_distinguished_on_a_phone(window: Browser) -> None:
    with PageServer("wallet") as service:
        ids = ["a0000000-0000-4000-8000-1110000000aa", "a0000000-0000-4000-8000-2220000000aa"]
        service.items = [account(each, "Maria Aparecida dos Santos Oliveira", 5, "maria") for each in ids]
        window.resize(390, 844)
        window.open(service.url)
        eventually(lambda: window.text("#rows"))

        options = window.run("[...document.querySelectorAll('#from option')].map(option => option.text)")
        width = window.run("document.querySelector('#from').getBoundingClientRect().width")

        assert len(set(options)) == 2
        assert width > 300  # one column
        assert window.run("document.documentElement.scrollWidth") <= 390


def test_the_sender_is_not_offered_as_receiver(window: Browser) -> None:
    with PageServer("wallet") as service:
        service.items = [account(each, f"Name {each}", 5) for each in "abc"]
        window.open(service.url)
        eventually(lambda: window.run("document.querySelectorAll('#to option').length") == 2)
        window.fill("#to", "c")

        window.fill("#from", "c")

        offered = window.run("[...document.querySelectorAll('#to option')].map(option => option.value)")
        assert offered == ["a", "b"]
        assert window.run("document.querySelector('#to').value") in offered


def test_one_and_a_half_is_sent_for_a_comma_and_an_ambiguous_amount_is_not_sent(window: Browser) -> None:
    with PageServer("wallet") as service:
        service.items = [account(each, f"Name {each}", 5000) for each in "ab"]
        window.open(service.url)
        eventually(lambda: window.text("#rows"))

        window.fill("#amount", "1,500")
        window.click("#send")
        assert window.text("#amount-problem") == "“1,500” has two meanings. Enter 1500 or 1,50."
        window.fill("#amount", "1,50")
        assert window.text("#send") == "Transfer 1.50"
        window.click("#send")
        eventually(lambda: window.text("#outcome"))

        assert [each["amount"] for each in service.transfers] == [pytest.approx(1.5)]
        assert window.text("#amount-problem") == ""


def test_a_transfer_in_progress_keeps_its_key(window: Browser) -> None:
    with PageServer("wallet") as service:
        service.items = [account(each, f"Name {each}", 5) for each in "ab"]
        service.refusals = [refusal(409, "in progress"), refusal(422, "account a would hold more than 1")]
        window.open(service.url)
        eventually(lambda: window.text("#rows"))
        window.run(
            "window.keys = []; window.send = window.fetch; window.fetch = (path, options) =>"
            " { if (options.method) keys.push(options.headers['Idempotency-Key']); return send(path, options); }"
        )

        for words in ("in progress", "Name a a would have more", "Transferred"):
            window.click("#send")
            eventually(lambda words=words: words in window.text("#outcome"))

        first, second, third = window.run("keys")
        assert first == second != third


@contextmanager
def both_services(token: str = "") -> Iterator[tuple[PageServer, PageServer]]:
    """A Wallet with two accounts whose page may read from Balances, and that Balances, with its token."""
    with PageServer("wallet") as service, PageServer("balances", token) as balances:
        service.reads, balances.read_by = balances.url, service.url
        service.items = [account(each, f"Name {each}", 5) for each in "ab"]
        service.links = {"wallet": None, "balances": balances.url}
        yield service, balances


def send_transfer(window: Browser, service: PageServer) -> None:
    """Open the page of Wallet and send the transfer that the form proposes."""
    window.open(service.url)
    eventually(lambda: window.text("#rows"))
    window.click("#send")


def test_the_steps_of_a_transfer_are_shown_as_they_happen(window: Browser) -> None:
    with both_services() as (service, balances):
        send_transfer(window, service)

        eventually(lambda: "Waiting for the relay" in window.text("#steps"))
        assert "Committed in MySQL: Wallet answered after" in window.text("#steps")
        service.events = [published(8, 18), {**published(7, 3), "name": "TransactionCreated"}, published(7, 17)]
        eventually(lambda: "Sent to balances[0]@17: Kafka acknowledged 6.2 ms" in window.text("#steps"))
        assert "Waiting for Balances" in window.text("#steps")
        balances.events = [consumed(7, 19, "stale"), consumed(8, 18), consumed(7, 17)]
        eventually(lambda: "Applied by Balances 21 ms after the transfer." in window.text("#steps"))
        assert window.run("document.querySelector('#response').open") is False


def test_an_event_that_was_applied_before_the_relay_read_the_acknowledgement_is_explained(
    window: Browser,
) -> None:
    with both_services() as (service, balances):
        service.events, balances.events = [published(7)], [consumed(7, applied_after_ms=6.1)]  # acknowledged after 6.2
        send_transfer(window, service)

        eventually(lambda: "Applied by Balances 6.1 ms after the transfer, before the relay" in window.text("#steps"))


def test_the_publication_of_an_event_is_shown_though_balances_does_not_answer(window: Browser) -> None:
    with both_services() as (service, balances):
        service.events = [published(7)]
        window.open(service.url)
        eventually(lambda: window.text("#rows"))
        window.run(
            f"window.get = fetch; window.fetch = (url, options) => url.startsWith({balances.url!r}) ?"
            " new Promise(() => {}) : get(url, options)"
        )
        window.click("#send")

        eventually(lambda: "Sent to balances[0]@17" in window.text("#steps"))


@pytest.mark.parametrize(
    ("record", "sentence"),
    [
        (consumed(7, outcome="stale"), "duplicate, or older"),
        (consumed(7, outcome="parked", reason="no JSON", applied_after_ms=None), "Parked by Balances"),
    ],
    ids=["stale", "parked"],
)
def test_a_transfer_that_balances_did_not_apply_is_shown_with_the_reason(
    window: Browser, record: dict[str, Any], sentence: str
) -> None:
    with both_services() as (service, balances):
        balances.events = [record]
        send_transfer(window, service)

        eventually(lambda: sentence in window.text("#steps"))
        assert "balances[0]@17 by the relay of another instance" in window.text("#steps")
        assert window.run("document.querySelector('#steps li:last-child').className") == "marked"


def test_without_the_url_of_balances_the_steps_of_a_transfer_end_at_kafka(window: Browser) -> None:
    with PageServer("wallet") as service:
        service.items = [account(each, f"Name {each}", 5) for each in "ab"]
        service.events = [published(7)]
        send_transfer(window, service)

        eventually(lambda: "BALANCES_URL is not set" in window.text("#steps"))
        assert "balances[0]@17" in window.text("#steps")
        assert not window.visible("#other")


def test_the_steps_of_a_transfer_name_a_token_that_the_page_does_not_have(window: Browser) -> None:
    with both_services(token="secret") as (service, balances):
        send_transfer(window, service)

        eventually(lambda: f"{balances.url}/events requires a token" in window.text("#steps"))
        assert not window.visible("#login")  # its own service requires none


@BOTH
def test_the_pages_link_to_each_other(window: Browser, name: str) -> None:
    other = {"wallet": "balances", "balances": "wallet"}[name]
    with PageServer(name) as service:
        service.links[other] = "http://127.0.0.1:9/other"
        window.open(service.url)

        eventually(lambda: window.visible("#other"))
        assert window.run("document.querySelector('#other').href") == "http://127.0.0.1:9/other"


def test_arriving_events_are_listed_and_those_that_were_not_applied_are_marked(window: Browser) -> None:
    with PageServer("balances") as service:
        service.events = [consumed(1, 1)]
        window.open(service.url)
        eventually(lambda: "balances[0]@1" in window.text("#arrivals"))
        parked = consumed(3, 3, "parked", reason="no <i>JSON</i>", dead_letter="/dead-letters/5", accounts=[])

        service.events = [parked, consumed(1, 2, "stale"), *service.events]

        eventually(lambda: "@3" in window.text("#arrivals"))
        rows = window.run("[...document.querySelectorAll('#arrivals tr')].map(row => [row.innerText, row.className])")
        assert [each[0].split()[0] for each in rows] == ["balances[0]@3", "balances[0]@2", "balances[0]@1"]
        assert re.search(r"parked\s+no <i>JSON</i>", rows[0][0])
        assert re.search(r"stale\s+duplicate or older", rows[1][0])
        assert re.search(r"BalanceUpdated\s+a b\s+applied\s+21 ms", rows[2][0])
        assert [each[1].split()[0] for each in rows] == ["parked", "stale", "applied"]


def test_a_parked_record_is_read_on_the_page(window: Browser) -> None:
    with PageServer("balances") as service:
        service.dead_letters = [dead_letter(6, "no payload", "{}"), dead_letter(5, "no JSON", "<b>not json")]
        service.events = [consumed(3, 3, "parked", reason="no JSON", dead_letter="/dead-letters/5")]
        window.open(service.url)
        eventually(lambda: window.text("#arrivals"))
        assert not window.visible("#parked-records")
        service.facts["parked"] = 2
        eventually(lambda: "balances[0]@6: no payload" in window.text("#dead-letters"))

        window.click("#arrivals a")

        eventually(lambda: "<b>not json" in window.text("#dead-letter-5 pre"))
        del service.dead_letters[1]
        service.facts["parked"] = 1
        eventually(lambda: "no JSON" not in window.text("#dead-letters"))
        assert "no payload" in window.text("#dead-letters")
        service.dead_letters = []
        service.facts["parked"] = 0
        eventually(lambda: not window.visible("#parked-records"))


def test_a_list_of_parked_records_that_could_not_be_read_is_gone_once_there_are_none(window: Browser) -> None:
    with PageServer("balances") as service:
        service.dead_letters = [dead_letter(5, "no JSON", "text")]
        service.facts["parked"] = 1
        window.open(service.url)
        eventually(lambda: "no JSON" in window.text("#dead-letters"))
        service.dead_letters = [{}] * 100  # the server responds with 500: they have no id
        service.facts["parked"] = 100
        eventually(lambda: "500" in window.text("#dead-letters-note"))

        service.dead_letters = []
        service.facts["parked"] = 0

        eventually(lambda: not window.visible("#parked-records"))


def test_parked_records_are_shown_newest_first_and_more_of_them_on_request(window: Browser) -> None:
    shown = "[...document.querySelectorAll('#dead-letters details')].map(each => Number(each.dataset.id))"
    with PageServer("balances") as service:
        service.dead_letters = [dead_letter(number, "no JSON", "text") for number in range(250, 0, -1)]
        service.facts["parked"] = 250
        window.open(service.url)
        eventually(lambda: window.run(shown) == list(range(250, 150, -1)))
        window.click("#dead-letter-249 summary")

        window.click("#dead-letters-more")
        eventually(lambda: window.run(shown) == list(range(250, 50, -1)))
        service.dead_letters.insert(0, dead_letter(251, "no payload", "text"))
        service.facts["parked"] = 251
        eventually(lambda: window.run(shown) == list(range(251, 51, -1)))
        window.click("#dead-letters-more")
        eventually(lambda: window.run(shown) == list(range(251, 0, -1)))

        assert not window.visible("#dead-letters-more")
        assert window.run("document.querySelector('#dead-letter-249').open")
        assert window.text("#dead-letters summary") == "balances[0]@251: no payload"


@pytest.mark.parametrize(("name", "measured"), [("wallet", "outbox_rows"), ("balances", "lag")])
def test_the_events_of_a_second_and_what_waits_are_drawn_as_charts(window: Browser, name: str, measured: str) -> None:
    chart = measured.removesuffix("_rows")
    with PageServer(name) as service:
        service.events = [published(1, 40) if name == "wallet" else consumed(1, 40)]
        service.facts[measured] = 12
        window.open(service.url)
        eventually(lambda: window.text(f"#{chart}") == "12" and window.text("#rate") == "0")

        service.events = [{**service.events[0], "offset": 1040}]
        service.facts[measured] = 3
        eventually(lambda: window.text(f"#{chart}") == "3")

        label = "document.querySelector('#rate svg').ariaLabel"
        eventually(lambda: re.fullmatch(r"The last minute: now [\d.]+, at most [1-9]\d\d+", window.run(label)))
        assert "now 3, at most 12" in window.run(f"document.querySelector('#{chart} svg').ariaLabel")
        assert "NaN" not in window.run("document.querySelector('#rate path').getAttribute('d')")
        assert window.errors == []


def test_the_transfers_of_an_account_are_shown_newest_first_and_in_parts(window: Browser) -> None:
    with PageServer("wallet") as service:
        service.items = [account("a", "Ana", 5), account("b", "<i>Bia</i>", 5)]
        service.transactions = [transaction(number, "a", "b", number + 0.5) for number in range(14)]
        service.transactions.append(transaction(14, "b", "a", 1000))
        window.open(service.url)
        eventually(lambda: window.text("#rows"))

        window.click("#rows button")  # of <i>Bia</i>, which comes first

        eventually(lambda: window.run("document.querySelectorAll('#history-rows tr').length") == 10)
        assert window.text("#history-title").startswith("Transfers of <i>Bia</i>")
        assert window.text("#history-rows tr").startswith("To Ana")
        assert "1,000.00" in window.text("#history-rows tr")
        window.click("#history-more")
        eventually(lambda: window.run("document.querySelectorAll('#history-rows tr').length") == 15)
        service.items[0]["balance"] = 4.0
        service.items[1]["balance"] = 4.0
        service.transactions.append(transaction(15, "a", "b", 77))
        eventually(lambda: "77.00" in window.text("#history-rows tr"))
        service.items = []
        eventually(lambda: not window.visible("#history"))


def test_a_client_and_an_account_are_opened_from_the_page(window: Browser) -> None:
    with PageServer("wallet") as service:
        service.items = [account("a", "Ana", 5, "client-ana")]
        service.clients = {"client-ana": "Ana"}
        window.open(service.url)
        eventually(lambda: window.text("#rows"))
        window.click("#opening summary")

        window.click("#account button")
        eventually(lambda: window.text("#account-outcome") == "Refused: The name must have 1 to 255 characters.")
        window.fill("#name", "Zé")
        window.fill("#email", "ze@example.org")
        window.click("#account button")
        eventually(lambda: "Zé has a new account: account-2." in window.text("#account-outcome"))
        assert "account-2" in window.text("#rows")

        window.fill("#client", "client-ana")
        assert not window.visible("#name")
        window.click("#account button")
        eventually(lambda: "Ana has a new account: account-3." in window.text("#account-outcome"))
        assert service.clients == {"client-ana": "Ana", "client-2": "Zé"}


@BOTH
def test_a_page_speaks_portuguese_to_a_browser_that_prefers_it(window: Browser, name: str) -> None:
    with PageServer(name) as service:
        service.items = [sample(name, 1) | {"balance": 1234.5}, sample(name, 2)]
        service.facts["kafka"] = "down"
        window.prefer("pt-BR,pt,en")
        window.open(service.url)

        eventually(lambda: "O Kafka está indisponível" in window.text("#state"))
        eventually(lambda: "1.234,50" in window.text("#rows"))
        assert window.run("document.documentElement.lang") == "pt-BR"
        assert window.text("#kafka") == "indisponível"


@BOTH
def test_both_languages_have_the_same_sentences(window: Browser, name: str) -> None:
    with PageServer(name) as service:
        window.open(service.url)

        missing, places = window.run(
            "import('/static/texts.js').then(({texts: {en, pt}}) => { const places = text => (text.match(/{\\w+}/g)"
            " ?? []).sort().join(); return [Object.keys(en).filter(key => !(key in pt)),"
            " Object.keys(en).filter(key => key in pt && places(en[key]) != places(pt[key]))]; })"
        )

        assert missing == []
        assert places == []


@BOTH
def test_without_javascript_the_page_shows_what_is_needed(window: Browser, name: str) -> None:
    with PageServer(name) as service:
        window.scripts(enabled=False)
        try:
            window.open(service.url)
            shown = window.text("noscript")
        finally:
            window.scripts()

    assert "needs JavaScript" in shown
    assert "precisa de JavaScript" in shown


@BOTH
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 900])
def test_axe_finds_nothing_to_correct(window: Browser, name: str, dark: bool, width: int) -> None:
    with PageServer(name) as service:
        service.items = [sample(name, 1), sample(name, 2)]
        service.links = {"wallet": "http://127.0.0.1:9", "balances": None if name == "wallet" else "http://127.0.0.1:9"}
        service.transactions = [transaction(1, "a0001", "a0002", 5)]
        if name == "wallet":
            service.events = [published(7)]
        else:
            parked = consumed(3, 3, "parked", reason="no JSON", dead_letter="/dead-letters/5")
            service.events = [parked, consumed(1, 2, "stale"), consumed(1, 1)]
            service.dead_letters = [dead_letter(5, "no JSON", "text")]
            service.facts["parked"] = 1
        window.resize(width, 900, dark=dark)
        window.open(service.url)
        eventually(lambda: window.text("#rows"))
        show_all_parts(window, service)
        window.run("document.querySelector('#login').hidden = false")
        window.run("document.getAnimations().forEach(animation => animation.finish())")

        window.run(AXE_SCRIPT)
        found = window.run("axe.run().then(result => result.violations.map(each => [each.id, each.nodes[0].html]))")

    assert found == []


def show_all_parts(window: Browser, service: PageServer) -> None:
    """Everything that a page can show, at the same time."""
    if service.name == "wallet":
        window.click("#send")
        eventually(lambda: "BALANCES_URL" in window.text("#steps"))
        window.click("#opening summary")
        window.click("#rows button")
        eventually(lambda: window.text("#history-rows"))
        window.fill("#amount", "x")
        window.click("#send")
    else:
        eventually(lambda: window.text("#arrivals") and window.visible("#dead-letters"))
        window.click("#arrivals a")
        eventually(lambda: "no JSON" in window.text("#dead-letter-5 pre"))


@BOTH
def test_the_files_of_a_page_are_kept_by_a_browser_until_they_change(window: Browser, name: str) -> None:
    with PageServer(name) as service:
        window.open(service.url)
        first, again, unknown, types = window.run(
            "(async () => { const ask = (path, headers) => fetch(path, {cache: 'no-store', headers});"
            " const first = await ask('/static/service.js');"
            " const again = await ask('/static/service.js', {'If-None-Match': first.headers.get('ETag')});"
            " const unknown = await ask('/static/..%2fapi.py');"
            " return [[first.status, first.headers.get('Cache-Control')], again.status, unknown.status,"
            " first.headers.get('Content-Type')]; })()"
        )

    assert first == [200, "no-cache"]
    assert again == 304
    assert unknown == 404
    assert types == "text/javascript; charset=utf-8"
