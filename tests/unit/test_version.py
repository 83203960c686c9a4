"""One number of the release: the constant, both descriptions of the API and the changelog."""

import json
import re

from common.version import VERSION
from tests.documents import ROOT


def test_both_descriptions_have_the_number_of_the_release() -> None:
    files = sorted((ROOT / "http").glob("*.openapi.json"))

    assert len(files) == 2
    assert {json.loads(path.read_text(encoding="utf-8"))["info"]["version"] for path in files} == {VERSION}


def test_the_newest_release_of_the_changelog_has_this_number() -> None:
    releases = re.findall(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)

    assert releases[0] == VERSION
