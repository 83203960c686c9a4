"""http/client.http, run from top to bottom: each response has the status of its title, and no endpoint is missing."""

import json
import re
from pathlib import Path
from typing import NamedTuple

import pytest
import requests

FOLDER = Path(__file__).parents[2] / "http"
WALK = 4  # requests at the top of the file


class Request(NamedTuple):
    title: str
    method: str
    url: str
    headers: dict[str, str]
    body: str

    @property
    def status(self) -> int:
        return int(self.title.split()[0])


def read_requests(text: str) -> tuple[dict[str, str], list[Request]]:
    """The file's variables and its requests, as the editors read them."""
    head, *parts = re.split(r"^### ", text, flags=re.MULTILINE)
    return dict(re.findall(r"^@(\w+) = (\S+)$", head, re.MULTILINE)), [_request(part) for part in parts]


def _request(part: str) -> Request:
    title, _, rest = part.partition("\n")
    lines = [line for line in rest.strip().splitlines() if not line.startswith("#")]
    empty = lines.index("") if "" in lines else len(lines)
    method, url = lines[0].split()
    headers = dict(line.split(": ", 1) for line in lines[1:empty])
    body = "\n".join(lines[empty:]).strip()
    if body.startswith("< "):  # the contents of a file
        body = (FOLDER / body.removeprefix("< ")).read_text(encoding="utf-8")
    return Request(title, method, url, headers, body)


VARIABLES, REQUESTS = read_requests((FOLDER / "client.http").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def responses(wallet_url: str, balances_url: str) -> list[requests.Response]:
    """The responses to all requests, sent in their order."""
    variables = {**VARIABLES, "wallet": wallet_url, "balances": balances_url}

    def filled(text: str) -> str:
        return re.sub(r"\{\{(\w+)\}\}", lambda match: variables[match[1]], text)

    return [
        requests.request(
            each.method,
            filled(each.url),
            headers={name: filled(value) for name, value in each.headers.items()},
            data=filled(each.body).encode("utf-8"),
            timeout=10,
        )
        for each in REQUESTS
    ]


@pytest.mark.parametrize("number", range(len(REQUESTS)), ids=[each.title for each in REQUESTS])
def test_a_request_gets_the_status_of_its_title(number: int, responses: list[requests.Response]) -> None:
    assert responses[number].status_code == REQUESTS[number].status, responses[number].text[:500]


def test_the_walk_shows_the_balances_after_its_transfer(responses: list[requests.Response]) -> None:
    transfer, _, *balances = responses[:WALK]

    assert [each.headers["Sequence"] for each in balances] == [transfer.headers["Sequence"]] * 2


def test_the_file_has_one_request_for_the_metrics_of_each_service() -> None:
    asked = [each.url for each in REQUESTS if each.url.endswith("/metrics")]

    assert sorted(asked) == ["{{balances}}/metrics", "{{wallet}}/metrics"]


def test_every_request_that_needs_the_token_sends_it() -> None:
    public = re.compile(r"\}\}/(health|ready|docs|nowhere)?$")

    assert [
        each.title
        for each in REQUESTS
        if (each.headers.get("Authorization") == "Bearer {{token}}") == bool(public.search(each.url))
    ] == []


@pytest.mark.parametrize("service", ["wallet", "balances"])
def test_every_endpoint_has_a_request(service: str) -> None:
    description = json.loads((FOLDER / f"{service}.openapi.json").read_text(encoding="utf-8"))
    described = {
        (method.upper(), re.sub(r"\{\w+\}", "ID", path))
        for path, methods in description["paths"].items()
        for method in methods
        if not path.startswith("/static/")  # parts of the page
    }

    shown = {
        (each.method, re.sub(r"/\{\{\w+\}\}", "/ID", each.url.removeprefix(f"{{{{{service}}}}}").partition("?")[0]))
        for each in REQUESTS
        if each.url.startswith(f"{{{{{service}}}}}")
    }

    assert described - shown == set()
