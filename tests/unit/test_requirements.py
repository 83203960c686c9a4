"""What a running service installs is pinned, all of it, with hashes, and is what the short list asks for."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PINNED = (ROOT / "requirements.txt").read_text(encoding="utf-8")


def test_requirements_txt_was_made_of_the_present_requirements_in():
    asked = re.findall(r"^([\w.-]+)(?:\[.*\])?==(\S+)$", (ROOT / "requirements.in").read_text(encoding="utf-8"), re.M)
    pinned = dict(re.findall(r"^([\w.-]+)==(\S+)", PINNED, re.M))

    assert asked
    assert {name.lower(): version for name, version in asked}.items() <= pinned.items()


def test_each_package_has_a_version_and_hashes():
    packages = re.findall(r"^[\w.-]+.*\n(?: {4}.*\n)+", PINNED, re.M)

    assert len(packages) == len(re.findall(r"^\w", PINNED, re.M))
    assert all("==" in each and "--hash=sha256:" in each for each in packages)


def test_the_list_leaves_open_where_packages_come_from():
    assert "://" not in PINNED
