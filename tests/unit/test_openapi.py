"""http/*.openapi.json: valid, complete, and nothing but the routes of the services; examples fit their schemas."""

import io
import json
import re
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

import balances.api
import wallet.api
from common.access import CrossSite, Unauthorized
from common.events.idempotency import KeyReused, StillInProgress
from common.http_request import BodyTooLarge
from wallet.domain import (
    Account,
    AccountNotFound,
    BalanceLimitExceeded,
    ClientNotFound,
    ClocksDiffer,
    InsufficientFunds,
    InvalidClient,
    SameAccount,
    SequenceFromTheFuture,
    TransactionNotFound,
)

APPS = {
    wallet.api.DESCRIPTION: wallet.api.create_app(database=None, status=None, committed=None),
    balances.api.DESCRIPTION: balances.api.create_app(database=None, status=None),
}
INT64 = 2**63 - 1

of_each = pytest.mark.parametrize("description", APPS, ids=lambda path: path.name)
of_each_operation = pytest.mark.parametrize(
    ("document", "operation"),
    [
        pytest.param(document, operation, id=f"{document['info']['title']}-{operation['operationId']}")
        for document in (json.loads(path.read_text("utf-8")) for path in APPS)
        for methods in document["paths"].values()
        for operation in methods.values()
    ],
)
PAGES = {wallet.api.DESCRIPTION: wallet.api.PAGE, balances.api.DESCRIPTION: balances.api.PAGE}


def read(description: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(description.read_text(encoding="utf-8"))
    return document


def resolved(document: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    """The object that a reference names, or the object itself."""
    for part in value["$ref"].split("/")[1:] if "$ref" in value else ():
        document = document[part]
    return document if "$ref" in value else value


@of_each
def test_every_route_is_described_and_every_description_has_its_route(description: Path) -> None:
    served = {(route.method, re.sub(r"<\w+(:id)?>", "{}", route.rule)) for route in APPS[description].routes}

    # A project made of this one may have no page.
    pages = {("GET", "/"), ("GET", "/docs"), ("GET", "/static/{}")}
    absent = set() if PAGES[description].is_dir() else pages
    paths = read(description)["paths"]

    described = {(method.upper(), re.sub(r"{\w+}", "{}", path)) for path in paths for method in paths[path]}
    assert described - {("GET", "/metrics")} - absent == served  # metrics_middleware() adds that one


@of_each
def test_a_description_is_valid_openapi(description: Path) -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(read(description)).iter_errors()] == []


@of_each_operation
def test_an_operation_has_a_tag_a_summary_and_a_description(
    document: dict[str, Any], operation: dict[str, Any]
) -> None:
    assert operation["summary"]
    assert operation["description"]
    assert set(operation["tags"]) <= {tag["name"] for tag in document["tags"]}


@of_each_operation
def test_an_operation_lists_the_errors_that_every_route_can_answer(
    document: dict[str, Any], operation: dict[str, Any]
) -> None:
    listed = set(operation["responses"])

    assert {"405", "431", "500"} <= listed
    assert ("401" in listed) == (operation.get("security") != [])
    assert not operation.get("requestBody") or {"400", "403", "409", "413", "422", "503"} <= listed


@of_each_operation
def test_every_response_has_a_description_and_an_example(document: dict[str, Any], operation: dict[str, Any]) -> None:
    responses = {status: resolved(document, each) for status, each in operation["responses"].items()}
    contents = {
        (status, kind): content
        for status, each in responses.items()
        for kind, content in each.get("content", {}).items()
    }

    assert [status for status, each in responses.items() if not each["description"]] == []
    assert [status for status, each in responses.items() if "content" not in each and status != "304"] == []
    assert [each for each, content in contents.items() if "example" not in content and "examples" not in content] == []


@of_each_operation
def test_a_problem_has_the_status_of_its_response(document: dict[str, Any], operation: dict[str, Any]) -> None:
    for status, response in operation["responses"].items():
        content = resolved(document, response).get("content", {}).get("application/problem+json", {})
        for example in content.get("examples", {}).values():
            assert str(example["value"]["status"]) == status


@of_each
def test_every_example_fits_its_schema(description: Path) -> None:
    document = read(description)
    found = list(_examples(document))

    unfit = [
        (example, error.message)
        for schema, example in found
        for error in Draft202012Validator({**schema, "components": document["components"]}).iter_errors(example)
    ]

    assert len(found) > 30
    assert unfit == []


@of_each
def test_no_limit_exceeds_a_64_bit_integer_and_no_number_is_a_multiple_of_a_fraction(description: Path) -> None:
    """Validators compute `multipleOf` in floats: 0.07 would be no multiple of 0.01."""
    objects = list(_objects(read(description)))

    assert [each["maximum"] for each in objects if each.get("maximum", 0) > INT64] == []
    assert [each for each in objects if "multipleOf" in each] == []


def test_each_post_lists_only_its_own_refusals() -> None:
    document = read(wallet.api.DESCRIPTION)
    posts = {path: methods["post"] for path, methods in document["paths"].items() if "post" in methods}

    refused = {path: resolved(document, post["responses"]["422"]) for path, post in posts.items()}
    refusals = {path: set(each["content"]["application/problem+json"]["examples"]) for path, each in refused.items()}

    assert refusals == {
        "/clients": {"name", "key"},
        "/accounts": {"key"},
        "/transactions": {"funds", "zero", "cents", "digits", "same", "limit", "key"},
    }


def test_not_applied_yet_and_unavailable_have_types_of_their_own() -> None:
    document = read(balances.api.DESCRIPTION)
    response = resolved(document, document["paths"]["/balances/{account_id}"]["get"]["responses"]["503"])
    examples = response["content"]["application/problem+json"]["examples"]

    assert {name: each["value"]["type"] for name, each in examples.items()} == {
        "not_applied": balances.api.NotAppliedYet.type,
        "mysql": "about:blank",
    }


@of_each
def test_an_operation_needs_the_token_exactly_where_its_description_requires_it(description: Path) -> None:
    create = {wallet.api.DESCRIPTION: wallet.api.create_app, balances.api.DESCRIPTION: balances.api.create_app}
    arguments = {"committed": None} if description == wallet.api.DESCRIPTION else {}
    app = create[description](database=None, status=None, token="secret", **arguments)
    operations = {
        (method.upper(), path): operation.get("security") != []
        for path, methods in read(description)["paths"].items()
        for method, operation in methods.items()
        if path != "/metrics"  # metrics_middleware() adds that one
    }

    refused = {route: _status(app, *route) == 401 for route in operations}

    assert refused == operations


def _details(description: Path) -> set[str]:
    """The `detail` of every example of a problem."""
    values = (example.get("value") for example in _objects(read(description)))
    return {value["detail"] for value in values if isinstance(value, dict) and "detail" in value}


def test_the_examples_have_the_texts_of_the_services() -> None:
    unknown = "00000000-0000-4000-8000-000000000000"
    ana, bruno = (
        Account(f"a0000000-0000-4000-8000-00000000000{number}", "", Decimal("1000.00"), datetime(2026, 11, 1))
        for number in (1, 2)
    )
    refusals = {
        wallet.api.DESCRIPTION: {
            Unauthorized(),
            CrossSite(),
            BodyTooLarge(),
            StillInProgress(),
            KeyReused(),
            ClientNotFound(unknown),
            AccountNotFound(unknown),
            TransactionNotFound(unknown),
            InvalidClient("name"),
            InsufficientFunds(ana, Decimal("1000.01")),
            SameAccount(ana),
            BalanceLimitExceeded(bruno),
            ClocksDiffer(900),
            SequenceFromTheFuture(ana),
        },
        balances.api.DESCRIPTION: {
            Unauthorized(),
            balances.api.BalanceNotFound(unknown),
            balances.api.NotAppliedYet(1795347740123456),
        },
    }

    assert {path: {str(each) for each in errors} - _details(path) for path, errors in refusals.items()} == {
        path: set() for path in refusals
    }


def _status(app: Any, method: str, path: str) -> int:
    """The status of a request without a token. A route that needs a database fails here."""
    statuses: list[str] = []
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": re.sub(r"{\w+}", "any", path),
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
    }
    app(environ, lambda status, headers, exc_info=None: statuses.append(status))
    return int(statuses[-1][:3])


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every JSON object of a document."""
    if isinstance(value, dict):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _objects(each)


def _examples(document: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Any]]:
    """(schema, example) of each example of a body, a parameter, a header or a schema."""
    schemas: dict[str, Any] = document["components"]["schemas"]
    for each in _objects({**document, "components": {**document["components"], "schemas": {}}}):
        if isinstance(schema := each.get("schema"), dict):
            yield from ((schema, each["example"]) for _ in range("example" in each))
            yield from ((schema, example["value"]) for example in each.get("examples", {}).values())
    for schema in _objects(schemas):
        if isinstance(examples := schema.get("examples"), list):
            yield from ((schema, example) for example in examples)
