"""The environment of a service: what is missing or wrong stops the start with its name."""

import pytest

from common.environment import ConfigurationError, integer, text, url


@pytest.fixture
def setenv(monkeypatch):
    monkeypatch.delenv("NAME", raising=False)
    monkeypatch.delenv("NAME_FILE", raising=False)
    return lambda value, name="NAME": monkeypatch.setenv(name, value)


def test_a_value_is_read(setenv):
    setenv("a value")

    assert text("NAME", "a default") == "a value"


@pytest.mark.parametrize("default", ["a default", ""])
def test_the_default_counts_when_there_is_none(setenv, default):
    assert text("NAME", default) == default


def test_an_empty_value_is_none_as_compose_gives_it_for_a_variable_that_is_not_set(setenv):
    setenv("")

    assert text("NAME", "a default") == "a default"


def test_a_missing_value_without_a_default_ends_the_process_with_its_name(setenv):
    with pytest.raises(ConfigurationError, match=r"^NAME is required"):
        text("NAME")


def test_a_value_can_be_in_a_file(setenv, tmp_path):
    (tmp_path / "secret").write_text("pássword\n", encoding="utf-8")
    setenv(str(tmp_path / "secret"), "NAME_FILE")
    setenv("not this one")

    assert text("NAME") == "pássword"


def test_a_file_that_cannot_be_read_ends_the_process_with_the_name_of_its_variable(setenv, tmp_path):
    setenv(str(tmp_path / "missing"), "NAME_FILE")

    with pytest.raises(ConfigurationError, match=r"^NAME_FILE must name a readable UTF-8 file"):
        text("NAME", "a default")


@pytest.mark.parametrize(("value", "number"), [("1", 1), ("8080", 8080), ("65535", 65535), ("007", 7)])
def test_an_integer_is_read(setenv, value, number):
    setenv(value)

    assert integer("NAME", 3003) == number


def test_a_number_has_its_default(setenv):
    assert integer("NAME", 3003) == 3003


@pytest.mark.parametrize("value", ["0", "65536", "-1", "+1", "1.0", "1e3", "ten", " ", "1 2", "٣", "²"])
def test_a_number_that_is_none_or_out_of_bounds_ends_the_process_with_its_name(setenv, value):
    setenv(value)

    with pytest.raises(ConfigurationError, match=r"^NAME must be an integer from 1 to 65535, not "):
        integer("NAME", 3003)


# ---- the origin of a service


@pytest.mark.parametrize(
    ("value", "origin"),
    [
        ("http://localhost:8080", "http://localhost:8080"),
        ("https://Wallet.Example.com/", "https://wallet.example.com"),
        ("http://10.0.0.7:80", "http://10.0.0.7"),
        ("https://[::1]:443", "https://[::1]"),
        ("https://example.com:80", "https://example.com:80"),
        ("", ""),
    ],
)
def test_an_origin_is_as_a_browser_sends_it(setenv, value, origin):
    setenv(value)

    assert url("NAME") == origin


@pytest.mark.parametrize(
    "value",
    ["localhost:8080", "ftp://host", "http://", "http://host/path", "http://user@host", "http://a; b", "*", "null"],
)
def test_what_is_no_origin_stops_the_start(setenv, value):
    setenv(value)

    with pytest.raises(ConfigurationError, match=r"^NAME must be http://HOST\[:PORT\]"):
        url("NAME")
