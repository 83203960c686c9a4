"""Each request of http/client.http gets the status that its title says, and no endpoint is missing there."""

import json
import re
from pathlib import Path
from typing import NamedTuple

import pytest
import requests

FOLDER = Path(__file__).parents[2] / "http"


class Request(NamedTuple):
    title: str
    method: str
    url: str
    headers: dict
    body: str

    @property
    def status(self):
        return int(self.title.split()[0])


def read_requests(text):
    """The file's variables and its requests, as the editors read them."""
    head, *parts = re.split(r"^### ", text, flags=re.MULTILINE)
    return dict(re.findall(r"^@(\w+) = (\S+)$", head, re.MULTILINE)), [_request(part) for part in parts]


def _request(part):
    title, _, rest = part.partition("\n")
    lines = [line for line in rest.strip().splitlines() if not line.startswith("#")]
    empty = lines.index("") if "" in lines else len(lines)
    method, url = lines[0].split()
    headers = dict(line.split(": ", 1) for line in lines[1:empty])
    return Request(title, method, url, headers, "\n".join(lines[empty:]).strip())


VARIABLES, REQUESTS = read_requests((FOLDER / "client.http").read_text(encoding="utf-8"))


@pytest.mark.parametrize("request_of_file", REQUESTS, ids=lambda each: each.title)
def test_a_request_gets_the_status_of_its_title(request_of_file, wallet_url, balances_url):
    variables = {**VARIABLES, "wallet": wallet_url, "balances": balances_url}

    def filled(text):
        return re.sub(r"\{\{(\w+)\}\}", lambda match: variables[match[1]], text)

    answer = requests.request(
        request_of_file.method,
        filled(request_of_file.url),
        headers=request_of_file.headers,
        data=filled(request_of_file.body),
        timeout=10,
    )

    assert answer.status_code == request_of_file.status, answer.text


@pytest.mark.parametrize("service", ["wallet", "balances"])
def test_every_endpoint_has_a_request(service):
    description = json.loads((FOLDER / f"{service}.openapi.json").read_text(encoding="utf-8"))
    described = {
        (method.upper(), re.sub(r"\{\w+\}", "ID", path))
        for path, methods in description["paths"].items()
        for method in methods
        if method != "parameters" and not path.startswith("/static/")  # parts of the page
    }

    shown = {
        (each.method, re.sub(r"/\{\{\w+\}\}", "/ID", each.url.removeprefix(f"{{{{{service}}}}}").partition("?")[0]))
        for each in REQUESTS
        if each.url.startswith(f"{{{{{service}}}}}")
    }

    assert described - shown == set()
