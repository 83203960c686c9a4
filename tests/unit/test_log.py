"""The log never waits for its reader: real pipes, that nobody reads at first."""

import fcntl
import json
import logging
import os
import pty
import select
import termios
import threading
from contextlib import suppress
from uuid import uuid4

import pytest

from common.log import JsonLines
from common.output import Output
from tests.child_process import fork


@pytest.fixture
def pipe():
    """(reading end, writing end) of a pipe."""
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            assert end == ends[0]  # a test has closed it


@pytest.fixture
def logger(pipe):
    return logger_to(pipe[1])


def logger_to(descriptor):
    logger = logging.getLogger(str(uuid4()))
    logger.propagate = False
    logger.setLevel(logging.INFO)
    logger.addHandler(JsonLines("wallet", Output(descriptor)))
    return logger


def lines(pipe):
    """All that the pipe holds, each line decoded."""
    os.set_blocking(pipe[0], False)
    data = b""
    while True:
        try:
            data += os.read(pipe[0], 65536)
        except BlockingIOError:
            return [json.loads(line) for line in data.splitlines()]


def fill(pipe):
    """Leave no room for another byte."""
    blocking = os.get_blocking(pipe[1])
    os.set_blocking(pipe[1], False)
    try:
        while True:
            os.write(pipe[1], b'{"message": "filler"}' + b" " * 4074 + b"\n")
    except BlockingIOError:
        os.set_blocking(pipe[1], blocking)


def test_a_record_is_one_line_with_its_fields(logger, pipe):
    logger.info("served %s", "twice", extra={"status": 200, "name_of": "José"})

    (line,) = lines(pipe)
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "INFO",
        "service": "wallet",
        "message": "served twice",
        "status": 200,
        "name_of": "José",
    }


def test_lines_that_a_full_pipe_does_not_take_are_dropped_and_counted_once_it_takes_lines_again(logger, pipe):
    fill(pipe)
    for number in range(3):
        logger.info("dropped", extra={"number": number})
    lines(pipe)

    logger.info("written")
    logger.info("and no second report")

    report, *others = lines(pipe)
    assert (report["level"], report["message"], report["lines"]) == ("WARNING", "log lines were dropped", 3)
    assert [line["message"] for line in others] == ["written", "and no second report"]


def test_a_log_that_nobody_reads_any_more_raises_nothing(logger, pipe):
    os.close(pipe[0])

    logger.info("to nobody")


@pytest.mark.skipif(not os.access("/dev/full", os.W_OK), reason="this system has no /dev/full")
def test_a_full_disk_raises_nothing():
    with open("/dev/full", "wb", buffering=0) as full:
        assert Output(full.fileno()).write(b"line\n") is False


def test_a_terminal_that_was_halted_is_not_waited_for():
    master, terminal = pty.openpty()
    output = Output(terminal)
    before = output.write(b"shown\n")
    termios.tcflow(terminal, termios.TCOOFF)  # Ctrl-S

    while output.write(b"x" * 1000 + b"\n"):
        pass
    termios.tcflow(terminal, termios.TCOON)
    os.close(terminal)
    os.close(master)

    assert before


def test_a_line_longer_than_a_pipe_takes_at_once_keeps_its_beginning_and_its_end(logger, pipe):
    logger.error("failed", extra={"error": "Traceback " + "é" * 3 * select.PIPE_BUF + " ValueError: the cause"})

    data = os.read(pipe[0], 10 * select.PIPE_BUF)
    line = json.loads(data)
    assert len(data) <= select.PIPE_BUF
    assert line["message"] == "failed"
    assert line["error"].startswith("Traceback ")
    assert line["error"].endswith(" ValueError: the cause")
    assert " … " in line["error"]


def test_a_file_takes_a_line_of_any_length(tmp_path):
    with (tmp_path / "log").open("ab") as file:
        logger_to(file.fileno()).error("failed", extra={"error": "x" * 3 * select.PIPE_BUF})

    assert json.loads((tmp_path / "log").read_text())["error"] == "x" * 3 * select.PIPE_BUF


def test_a_value_that_json_cannot_hold_is_written_in_ascii(logger, pipe):
    logger.info("odd", extra={"half": "\ud800", "by_number": {1: 2}})

    (line,) = lines(pipe)
    assert "ud800" in line["half"]
    assert line["by_number"] == "{1: 2}"


def test_lines_of_several_threads_and_processes_stay_in_one_piece(logger, pipe):
    children = [fork(lambda: write_many(logger)) for _ in range(2)]
    read = b""
    while children:
        read += b"".join(os.read(pipe[0], 65536) for _ in range(len(select.select([pipe[0]], [], [], 0.01)[0])))
        children = [child for child in children if os.waitpid(child, os.WNOHANG) == (0, 0)]
    os.set_blocking(pipe[0], False)
    with suppress(BlockingIOError):
        while piece := os.read(pipe[0], 65536):
            read += piece

    many = [line for line in map(json.loads, read.splitlines()) if line["message"] == "many"]
    assert {line["thread_number"] for line in many} == {0, 1, 2, 3}
    assert all(line["text"] == "x" * line["length"] for line in many)


def write_many(logger):
    def write(number):
        for length in range(0, 3000, 11):
            logger.info("many", extra={"thread_number": number, "length": length, "text": "x" * length})

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_programs_that_share_the_pipe_still_wait_at_it(logger, pipe):
    logger.info("a line")

    assert not fcntl.fcntl(pipe[1], fcntl.F_GETFL) & os.O_NONBLOCK
