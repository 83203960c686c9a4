"""The diagram of a run of a lab."""

from xml.etree import ElementTree

from tests.labs.diagram import SHOWN, condensed, svg
from tests.labs.recorder import Mark, Message, Recorder


def test_the_rows_of_a_diagram_are_in_the_order_of_time_and_name_the_sequence() -> None:
    recorder = Recorder(started_at=100.0)
    recorder.message("relay", "kafka", "balances[0]@17", 42, at=101.5)
    recorder.message("client", "wallet", "POST <1>", at=100.25)

    texts = [element.text for element in ElementTree.fromstring(svg("a run", recorder)).findall(".//{*}text")]

    assert texts[-4:] == ["0.250 s", "POST <1>", "1.500 s", "balances[0]@17 · sequence 42"]


def test_a_killed_process_is_a_cross_on_the_lane_of_its_kind() -> None:
    recorder = Recorder()
    recorder.mark("wallet-2", "killed")

    (cross,) = ElementTree.fromstring(svg("a run", recorder)).findall(".//{*}g[@class='killed']")

    assert [len(cross.findall("{*}line")), cross.findtext("{*}text")] == [2, "wallet-2 killed"]
    assert recorder.marks[0].lane == "wallet"


def test_of_many_messages_of_one_kind_the_middle_is_counted_and_not_drawn() -> None:
    messages = [Message(number, "client", "wallet", f"POST transfer-{number}") for number in range(SHOWN + 4)]
    other = Message(99, "client", "wallet", "DELETE")

    drawn = condensed([*messages, other])

    half = SHOWN // 2
    note = Mark(messages[half].at, "client", "note", "4 more to Wallet: POST transfer-…")
    assert drawn == [*messages[:half], note, *messages[-half:], other]
