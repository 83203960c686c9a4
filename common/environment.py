"""Values from the environment, read once, at the start of a service. NAME_FILE names a file that holds the value."""

import os
import re
import ssl
from pathlib import Path


class ConfigurationError(SystemExit):
    """The end of the process, with one line that names the variable, its value unless secret, and what is allowed."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name} {problem}")


def text(name: str, default: str | None = None) -> str:
    """The value of the variable, or the default. Raises ConfigurationError if there is neither."""
    if path := os.environ.get(f"{name}_FILE"):
        try:
            value = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{name}_FILE", f"must name a readable UTF-8 file: {error}") from error
        if not value:  # an empty secret must not disable authentication
            raise ConfigurationError(f"{name}_FILE", f"must name a file with a value; {path} is empty")
        return value
    given = os.environ.get(name) or default
    if given is None:
        raise ConfigurationError(name, "is required and is not set; docs/configuration.md explains every variable")
    return given


def integer(name: str, default: int, low: int = 1, high: int = 65535) -> int:
    """The value as a number from `low` to `high`, or the default. Raises ConfigurationError."""
    value = text(name, str(default))
    if not (value.isascii() and value.isdigit() and low <= int(value) <= high):
        raise ConfigurationError(name, f"must be an integer from {low} to {high}, not {value!r}")
    return int(value)


def choice(name: str, default: str, *others: str) -> str:
    """The value, which must be the default or one of the others. Raises ConfigurationError."""
    value = text(name, default)
    if value not in (default, *others):
        raise ConfigurationError(name, f"must be one of {', '.join((default, *others))}, not {value!r}")
    return value


def url(name: str) -> str:
    """The value as the origin of a service (scheme, host, port), "" if it is not set. Raises ConfigurationError."""
    value = text(name, "").lower().removesuffix("/")
    if value and not re.fullmatch(r"https?://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?", value):
        raise ConfigurationError(name, f"must be http://HOST[:PORT] or https://HOST[:PORT], not {value!r}")
    default_port = ":443" if value.startswith("https:") else ":80"  # a browser leaves it out
    return value.removesuffix(default_port)


def ca_file(name: str) -> str | None:
    """The path of a file with trusted certificates, None if the variable is not set. Raises ConfigurationError."""
    path = text(name, "") or None
    if path:
        try:
            ssl.create_default_context(cafile=path)
        except OSError as error:  # no such file, or no certificates in it
            raise ConfigurationError(name, f"must name a PEM file with certificates, not {path!r}: {error}") from error
    return path
