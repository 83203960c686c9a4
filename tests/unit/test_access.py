"""The token in the environment, and which requests of a browser are refused."""

import pytest

import balances.api
from common.access import csrf_protection, token
from common.environment import ConfigurationError
from wallet.api import create_app


def test_without_the_variable_authentication_is_disabled(monkeypatch, caplog):
    monkeypatch.delenv("WALLET_TOKEN", raising=False)
    caplog.set_level("INFO")

    assert token("WALLET_TOKEN") == ""
    (line,) = caplog.records
    assert line.message == "authentication disabled: the variable is not set"
    assert line.variable == "WALLET_TOKEN"


def test_the_log_reports_that_authentication_is_enabled_without_the_token(monkeypatch, caplog):
    monkeypatch.setenv("WALLET_TOKEN", "correct-horse")
    caplog.set_level("INFO")

    assert token("WALLET_TOKEN") == "correct-horse"
    (line,) = caplog.records
    assert (line.message, line.variable) == ("bearer authentication enabled", "WALLET_TOKEN")
    assert "horse" not in str(vars(line))


@pytest.mark.parametrize("value", ["correct horse", "é", "a\nb"])
def test_a_token_that_no_header_can_carry_stops_the_start_and_is_not_shown(monkeypatch, value):
    monkeypatch.setenv("WALLET_TOKEN", value)

    with pytest.raises(ConfigurationError, match="WALLET_TOKEN must contain only visible ASCII") as refusal:
        token("WALLET_TOKEN")
    assert value not in str(refusal.value)


@pytest.mark.parametrize("content", ["", "\n", "  \n"])
def test_an_empty_file_does_not_pass_for_no_token(monkeypatch, tmp_path, content):
    (tmp_path / "token").write_text(content)
    monkeypatch.setenv("WALLET_TOKEN_FILE", str(tmp_path / "token"))

    with pytest.raises(ConfigurationError, match="WALLET_TOKEN_FILE must name a file with a value"):
        token("WALLET_TOKEN")


def test_every_route_of_the_wallet_that_changes_something_has_csrf_protection():
    app = create_app(database=None, status=None, committed=None)

    unprotected = [each.rule for each in app.routes if each.method != "GET" and csrf_protection not in each.plugins]

    assert [each.rule for each in app.routes if each.method == "POST"] == ["/clients", "/accounts", "/transactions"]
    assert unprotected == []


def test_balances_has_no_route_that_changes_something():
    app = balances.api.create_app(database=None, status=None)

    assert {each.method for each in app.routes} == {"GET"}
