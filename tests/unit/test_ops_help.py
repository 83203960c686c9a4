"""The verbs explain themselves."""

import re

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
