"""The token that the environment asks for."""

import pytest

from common.access import token
from common.environment import ConfigurationError


def test_without_the_variable_no_token_is_asked_for(monkeypatch, caplog):
    monkeypatch.delenv("WALLET_TOKEN", raising=False)
    caplog.set_level("INFO")

    assert token("WALLET_TOKEN") == ""
    assert caplog.messages == ["open to everybody: WALLET_TOKEN is not set"]


def test_the_log_says_that_a_token_is_asked_for_but_not_which(monkeypatch, caplog):
    monkeypatch.setenv("WALLET_TOKEN", "correct-horse")
    caplog.set_level("INFO")

    assert token("WALLET_TOKEN") == "correct-horse"
    assert caplog.messages == ["asks for the bearer token of WALLET_TOKEN"]


@pytest.mark.parametrize("value", ["correct horse", "é", "a\nb"])
def test_a_token_that_no_header_can_carry_stops_the_start_and_is_not_told(monkeypatch, value):
    monkeypatch.setenv("WALLET_TOKEN", value)

    with pytest.raises(ConfigurationError, match="WALLET_TOKEN must have only visible ASCII") as refusal:
        token("WALLET_TOKEN")
    assert value not in str(refusal.value)


@pytest.mark.parametrize("content", ["", "\n", "  \n"])
def test_an_empty_file_does_not_pass_for_no_token(monkeypatch, tmp_path, content):
    (tmp_path / "token").write_text(content)
    monkeypatch.setenv("WALLET_TOKEN_FILE", str(tmp_path / "token"))

    with pytest.raises(ConfigurationError, match="WALLET_TOKEN_FILE must name a file with a value"):
        token("WALLET_TOKEN")
