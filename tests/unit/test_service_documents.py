"""A service serves its pages and its descriptions. A project made of this one may have no page."""

import hashlib
from pathlib import Path

import pytest

import wallet.api
from common.documents import VIEWER_FILES, serve_documents
from common.json_api import JsonApp

# Of the npm package swagger-ui-dist, version 5.35.0.
SHA256_OF_THE_VIEWER = {
    "swagger-ui-bundle.js": "e6a898692f2d768e807c3ba4626068a69a2c5dd960dd6c76f3e4d3a3de180af2",
    "swagger-ui.css": "5ed08757e53da3e026d6cbecc61fe5d43585c9560b302d534ad56692519a273d",
}

needs_pages = pytest.mark.skipif(not wallet.api.PAGE.is_dir(), reason="this project has no page")


def served(folder: Path) -> set[str]:
    app = JsonApp({})
    serve_documents(app, folder, wallet.api.DESCRIPTION, wallet.api.EVENT_DESCRIPTION)
    return {route.rule for route in app.routes}


def test_a_project_without_a_page_serves_its_descriptions_alone(tmp_path: Path) -> None:
    assert served(tmp_path / "page") == {"/openapi.json", "/asyncapi.json"}


@needs_pages
def test_a_project_with_a_page_serves_its_files_and_the_viewer_too() -> None:
    assert served(wallet.api.PAGE) == {"/", "/docs", "/static/<name>", "/openapi.json", "/asyncapi.json"}


@needs_pages
@pytest.mark.parametrize(("name", "expected"), SHA256_OF_THE_VIEWER.items())
def test_a_file_of_the_viewer_is_the_published_one(name: str, expected: str) -> None:
    assert hashlib.sha256((VIEWER_FILES / name).read_bytes()).hexdigest() == expected


@needs_pages
def test_the_viewer_brings_its_licenses() -> None:
    names = {path.name for path in VIEWER_FILES.iterdir()}

    assert {"LICENSE", "NOTICE", "swagger-ui-bundle.js.LICENSE.txt", "README.md"} <= names
