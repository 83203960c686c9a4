"""http/wallet.asyncapi.json describes the events as Wallet writes them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

import wallet.messages
from common.version import VERSION
from tests.contract.asyncapi import DOCUMENT, HEADERS, MESSAGES, ROOT, payload, section, topics
from tests.contract.test_events import EVENTS
from wallet.messages import to_message

FOLDER = Path(__file__).parent
SCHEMA = json.loads((FOLDER / "asyncapi-3.0.0" / "schema.json").read_text(encoding="utf-8"))


def golden(name: str) -> Any:
    return json.loads((FOLDER / "golden" / f"{name}.json").read_text(encoding="utf-8"))


def problems(schema: dict[str, Any], value: Any) -> list[str]:
    return [error.message for error in Draft7Validator(schema).iter_errors(value)]


def test_the_document_is_valid_asyncapi() -> None:
    assert problems(SCHEMA, DOCUMENT) == []


def test_every_reference_of_the_document_has_its_target() -> None:
    for path in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(DOCUMENT)):
        target: Any = DOCUMENT
        for part in path.split("/"):
            target = target[part]


@pytest.mark.parametrize(("name", "event"), EVENTS.items(), ids=EVENTS)
def test_a_golden_message_fits_its_description(name: str, event: Any) -> None:
    kind, message = type(event).__name__, to_message(event)
    (key,) = re.findall(r"`(\w+)`", MESSAGES[kind]["bindings"]["kafka"]["key"]["description"])[:1]

    assert problems(MESSAGES[kind]["payload"], golden(name)) == []
    assert topics()[kind] == message.topic
    assert golden(name)["Payload"][key] == message.key


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("balance_updated", {"balance_account_id_to": "1100"}),
        ("balance_updated", {"more": 1}),
        ("transaction_created", {"amount": 0}),
        ("account_created", {"account_id": ""}),
    ],
)
def test_a_message_of_another_form_does_not_fit(name: str, change: dict[str, Any]) -> None:
    message = golden(name)
    message["Payload"] |= change

    assert problems(MESSAGES[message["Name"]]["payload"], message)


def test_the_golden_headers_fit_the_description_and_are_all_described() -> None:
    headers = golden("headers")

    assert problems(HEADERS, headers) == []
    assert set(headers) == set(HEADERS["properties"])
    for name in HEADERS["required"]:
        assert problems(HEADERS, {each: value for each, value in headers.items() if each != name})


def test_every_golden_message_is_an_example_of_the_document() -> None:
    examples = {each["name"]: each for message in MESSAGES.values() for each in message["examples"]}

    assert {name: each["payload"] for name, each in examples.items()} == {name: golden(name) for name in EVENTS}
    assert [problems(HEADERS, each["headers"]) for each in examples.values()] == [[]] * len(examples)


def test_the_document_has_every_topic_and_every_event_of_wallet() -> None:
    assert sorted(set(topics().values())) == wallet.messages.TOPICS
    assert set(topics()) == set(MESSAGES) == {type(event).__name__ for event in EVENTS.values()}
    assert {each["bindings"]["kafka"]["topic"] for each in DOCUMENT["channels"].values()} == set(topics().values())


def test_an_operation_publishes_each_event() -> None:
    published = [each["messages"][0]["$ref"].rpartition("/")[2] for each in DOCUMENT["operations"].values()]

    assert sorted(published) == sorted(MESSAGES)
    assert {each["action"] for each in DOCUMENT["operations"].values()} == {"send"}


def test_each_field_has_a_description() -> None:
    fields = [
        *HEADERS["properties"].items(),
        *(each for name in MESSAGES for each in payload(name)["properties"].items()),
    ]

    assert [name for name, field in fields if not field.get("description")] == []


def test_the_document_has_the_number_of_the_release() -> None:
    assert DOCUMENT["info"]["version"] == VERSION


def test_the_events_document_shows_the_description() -> None:
    text = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")

    assert section() in text, "replace the section of docs/events.md by what python -m tests.contract.asyncapi prints"
