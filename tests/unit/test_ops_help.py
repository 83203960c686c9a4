"""The commands explain themselves, and refuse bad input with one line."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from _pytest.capture import CaptureFixture

import balances.ops
import wallet.ops
from common.mysql import DatabaseUnavailable
from common.ops import add_command, new_parser, print_status, run_command

MAIN: dict[str, Callable[[Sequence[str]], None]] = {"wallet": wallet.ops.main, "balances": balances.ops.main}


def ended(service: str, *arguments: str) -> object:
    """The exit code of the command."""
    with pytest.raises(SystemExit) as end:
        MAIN[service](arguments)
    return end.value.code


def help_of(capsys: CaptureFixture[str], service: str, *command: str) -> str:
    assert ended(service, *command, "--help") == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("words", [["wallet"], ["balances"], ["balances", "dead-letters"]])
def test_every_command_has_a_help_with_an_example_and_exit_codes(capsys: CaptureFixture[str], words: list[str]) -> None:
    commands = re.findall(r"^    ([a-z-]+)\s", help_of(capsys, *words), re.MULTILINE)

    explained = {command: help_of(capsys, *words, command) for command in commands if command != "dead-letters"}

    assert len(explained) >= 4
    for command, text in explained.items():
        assert re.search(rf"example:\n  .*entrypoint.sh {' '.join(words)} {command}", text)
        assert re.search(r"^[A-Z][a-z]+ .*\.$", text, re.MULTILINE)  # begins with an imperative
        assert "exit codes: 0 " in text


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["wallet"], "the following arguments are required: COMMAND"),
        (["wallet", "announce", "a", "--after", "b"], "not allowed with argument"),
        (["balances", "dead-letters", "show", "-1"], "ID"),
        (["balances", "dead-letters", "show", "one"], "must be the number of a dead letter, not 'one'"),
        (["balances", "dead-letters", "discard", "1", "9" * 30], "must be the number of a dead letter"),
        (["balances", "dead-letters", "retry"], "one of the arguments ID --all is required"),
        (["balances", "reconcile", "--wallet-url", "localhost:8080"], "must be a URL such as http://127.0.0.1:8080"),
        (["balances", "reconcile", "--wallet-url", "http://a", "--balances-url", "//b"], "must be a URL such as"),
    ],
)
def test_bad_arguments_are_refused_with_the_reason(
    capsys: CaptureFixture[str], arguments: list[str], error: str
) -> None:
    assert ended(*arguments) == 2

    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("usage:")
    assert error in lines[-1]


@pytest.mark.parametrize(
    ("url", "error"),
    [("", "DATABASE_URL is required"), ("postgres://a:secret@b/c", "mysql://user:password@host:port/database")],
)
@pytest.mark.parametrize(
    "command", [["wallet", "announce"], ["balances", "dead-letters", "list"], ["balances", "migrate"]]
)
def test_a_wrong_database_url_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch, command: list[str], url: str, error: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)

    reason = str(ended(*command))

    assert error in reason
    assert "secret" not in reason


def test_a_command_without_mysql_ends_with_one_line() -> None:
    def fail(_: object) -> None:
        """Fail."""
        raise DatabaseUnavailable("connection refused")

    parser, commands = new_parser("wallet")
    add_command(commands, fail, "fail")

    with pytest.raises(SystemExit, match=r"^MySQL is unavailable: connection refused$"):
        run_command("wallet", parser, ["fail"])


def test_the_status_of_a_service_that_is_unavailable_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "1")

    with pytest.raises(SystemExit, match=r"http://127.0.0.1:1/ready is unavailable"):
        print_status(8080)


class NotReady(BaseHTTPRequestHandler):
    """A service that is not ready."""

    def do_GET(self) -> None:
        facts = {"status": "not ready", "partitions": [{"topic": "t", "lag": 7}], "problems": ["first", "second"]}
        self.send_response(503)
        self.end_headers()
        self.wfile.write(json.dumps(facts).encode())


def test_the_status_of_a_service_is_printed_line_by_line(
    monkeypatch: pytest.MonkeyPatch, capsys: CaptureFixture[str]
) -> None:
    with HTTPServer(("127.0.0.1", 0), NotReady) as server:
        monkeypatch.setenv("PORT", str(server.server_port))
        threading.Thread(target=server.handle_request, daemon=True).start()

        with pytest.raises(SystemExit) as end:
            print_status(8080)

    assert end.value.code == 1
    assert capsys.readouterr().out.splitlines() == [
        "status: not ready",
        "partitions: topic t, lag 7",
        "problems: first",
        "problems: second",
    ]


def test_a_command_whose_reader_has_ended_prints_no_stack_trace() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    program = (
        "from common.ops import add_command, new_parser, run_command\n"
        "def chatter(options):\n    'Print much.'\n    [print(number) for number in range(100_000)]\n"
        "parser, commands = new_parser('wallet')\n"
        "add_command(commands, chatter, 'chatter')\n"
        "run_command('wallet', parser, ['chatter'])\n"
    )

    chatter = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).resolve().parents[2],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)

    assert (chatter.returncode, chatter.stderr) == (141, "")
