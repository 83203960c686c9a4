"""The reader of a database connection: what it gives is what the server sent, however that arrives."""

import socket
from collections.abc import Iterator

import pytest

from common.mysql.packets import Packets, limit_waits


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, servers = socket.socketpair()
    with ours, servers:
        yield ours, servers


Ends = tuple[socket.socket, socket.socket]


def test_read_gives_as_many_bytes_as_asked_for_and_fewer_at_the_end(ends: Ends) -> None:
    packets = Packets(ends[0])
    ends[1].sendall(b"abcdef")
    assert [packets.read(2), packets.read(3)] == [b"ab", b"cde"]
    ends[1].sendall(b"gh")
    ends[1].shutdown(socket.SHUT_WR)

    assert [packets.read(3), packets.read(1), packets.read(1)] == [b"fgh", b"", b""]


def test_read_raises_a_timeout_when_the_kernel_reports_that_the_time_is_over(ends: Ends) -> None:
    assert limit_waits(ends[0], 0.02, 1)

    with pytest.raises(TimeoutError):
        Packets(ends[0]).read(1)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\x01\x00",
        b"\x01\x00\x00\x05",
        b"\x02\x00\x00\x05a",
        b"\x01\x00\x00\x06a",
        b"\x01\x00\x00\x05\xff",
        b"\x00\x00\x00\x05a",
        b"\xff\xff\xff\x05a",
    ],
    ids=["nothing", "half a header", "a header", "half a packet", "another number", "an error", "empty", "too long"],
)
def test_what_is_not_a_complete_simple_packet_is_left_where_it_is(ends: Ends, sent: bytes) -> None:
    packets = Packets(ends[0])
    ends[1].sendall(b"!" + sent + b"?")
    packets.read(1)
    packets._data = packets._data[:-1]

    assert packets.next(5) is None
    ends[1].sendall(b"?")
    assert packets.read(len(sent) + 1) == sent + b"?"


def test_packets_follow_each_other_and_expected_ones_are_skipped(ends: Ends) -> None:
    packets = Packets(ends[0])
    ends[1].sendall(b"!\x01\x00\x00\x05a\x02\x00\x00\x06bc\x01\x00\x00\x07d")
    packets.read(1)
    mark = packets.mark()

    assert packets.next(5) == b"a"
    assert packets.since(mark) == b"\x01\x00\x00\x05a"
    assert not packets.skip(b"\x02\x00\x00\x06bd")
    assert packets.skip(b"\x02\x00\x00\x06bc")
    assert packets.next(7) == b"d"


def test_bytes_since_a_mark_are_unknown_once_more_have_arrived(ends: Ends) -> None:
    packets = Packets(ends[0])
    mark = packets.mark()
    ends[1].sendall(b"ab")
    packets.read(1)

    assert packets.since(mark) is None
