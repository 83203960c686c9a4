"""The event id of a record, and the one definition of the inbox's table."""

import re

import pytest

from common.events import inbox
from common.events.dead_letters import UnreadableRecord
from tests.documents import ROOT
from tests.stand_ins import record


def test_the_event_id_is_the_header_of_the_record() -> None:
    assert inbox.event_id(record(headers=[("sequence", b"7"), ("event_id", b"a-1")])) == "a-1"


@pytest.mark.parametrize("headers", [[], [("event_id", None)], [("event_id", b"")], [("event_id", b"x" * 65)]])
def test_a_record_without_a_usable_event_id_is_unreadable(headers: list[tuple[str, bytes | None]]) -> None:
    with pytest.raises(UnreadableRecord, match="event_id"):
        inbox.event_id(record(headers=headers))


@pytest.mark.parametrize("event_id", [b"a ", b" a", b"a\n", b"\xc3\xa9", b"a\x00"])
def test_an_event_id_that_mysql_could_take_for_another_is_unreadable(event_id: bytes) -> None:
    with pytest.raises(UnreadableRecord):
        inbox.event_id(record(headers=[("event_id", event_id)]))


@pytest.mark.parametrize("name", ["docs/template.md", "docs/events.md", "tests/toy/stock.sql"])
def test_every_definition_of_the_inbox_is_the_same(name: str) -> None:
    assert _definition((ROOT / name).read_text(encoding="utf-8")) == _definition(inbox.__doc__ or "")


def _definition(text: str) -> str:
    (found,) = re.findall(r"CREATE TABLE IF NOT EXISTS inbox .*?;", text, re.DOTALL)
    return " ".join(found.split())
