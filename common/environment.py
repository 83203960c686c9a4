"""The environment of a service, read once, at its start. A value may stand in a file named by NAME_FILE."""

import os
import ssl
from pathlib import Path


class Misconfigured(SystemExit):
    """Ends the process with one line that names the variable."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name} {problem}")


def text(name: str, default: str | None = None) -> str:
    """The variable's text; without a default it must be there."""
    if path := os.environ.get(f"{name}_FILE"):
        try:
            value = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise Misconfigured(f"{name}_FILE", f"cannot be read: {error}") from error
        if not value:  # an empty secret must not pass for none
            raise Misconfigured(f"{name}_FILE", "names an empty file")
        return value
    given = os.environ.get(name) or default
    if given is None:
        raise Misconfigured(name, "is not set; docs/configuration.md explains every variable")
    return given


def integer(name: str, default: int, low: int = 1, high: int = 65535) -> int:
    value = text(name, str(default))
    if not (value.isascii() and value.isdigit() and low <= int(value) <= high):
        raise Misconfigured(name, f"must be a whole number from {low} to {high}, not {value!r}")
    return int(value)


def choice(name: str, default: str, *others: str) -> str:
    value = text(name, default)
    if value not in (default, *others):
        raise Misconfigured(name, f"must be one of {', '.join((default, *others))}, not {value!r}")
    return value


def ca_file(name: str) -> str | None:
    """The path of a file of certificates whose signatures are trusted; None when the variable is not set."""
    path = text(name, "") or None
    if path:
        try:
            ssl.create_default_context(cafile=path)
        except OSError as error:  # not there, or no certificates
            raise Misconfigured(name, f"names {path}, which cannot be used: {error}") from error
    return path
