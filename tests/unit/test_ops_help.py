"""The verbs explain themselves."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import balances.ops
import wallet.ops

MAIN = {"wallet": wallet.ops.main, "balances": balances.ops.main}


def help_of(capsys, *words):
    service, *verb = words
    with pytest.raises(SystemExit) as ended:
        MAIN[service]([*verb, "--help"])
    assert ended.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("words", [["wallet"], ["balances"], ["balances", "dead-letters"]])
def test_every_verb_has_a_help_with_an_example(capsys, words):
    verbs = re.findall(r"^    ([a-z-]+) ", help_of(capsys, *words), re.MULTILINE)

    explained = {verb: help_of(capsys, *words, verb) for verb in verbs if verb != "dead-letters"}

    assert len(explained) >= 4
    for verb, text in explained.items():
        assert re.search(rf"example:\n  .*entrypoint.sh {' '.join(words)} {verb}", text)


@pytest.mark.parametrize("arguments", [["announce", "a", "--after", "b"], []])
def test_a_verb_that_makes_no_sense_is_refused(capsys, arguments):
    with pytest.raises(SystemExit) as ended:
        wallet.ops.main(arguments)

    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_a_command_whose_reader_has_gone_ends_without_a_stack_trace():
    reading, writing = os.pipe()
    os.close(reading)
    program = (
        "import argparse; from common.ops import add_verb\n"
        "def chatter(options):\n    'print much'\n    [print(number) for number in range(100_000)]\n"
        "parser = argparse.ArgumentParser()\n"
        "add_verb(parser.add_subparsers(), chatter, 'chatter')\n"
        "options = parser.parse_args(['chatter']); options.run(options)\n"
    )

    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).resolve().parents[2],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)

    assert (ended.returncode, ended.stderr) == (141, "")
