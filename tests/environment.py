"""The environment of a suite, which `./local.sh test` and the container `tests` set."""

import os

import pytest


def needed(variable: str) -> str:
    """The value of the variable. Skips the test if the variable is not set."""
    return os.environ.get(variable) or pytest.skip(f"{variable} is not set; ./local.sh test sets it")
