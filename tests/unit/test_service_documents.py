"""A service serves its page and its API description. A project made of this one may have no page."""

from pathlib import Path

from bottle import Bottle

import wallet.api
from common.documents import serve_documents


def served(folder: Path) -> set[str]:
    app = Bottle()
    serve_documents(app, folder, wallet.api.DESCRIPTION)
    return {route.rule for route in app.routes}


def test_a_project_without_a_page_serves_its_description_alone(tmp_path: Path) -> None:
    assert served(tmp_path / "page") == {"/openapi.json"}


def test_a_project_with_a_page_serves_its_files_too(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<!doctype html>", encoding="utf-8")

    assert served(tmp_path) == {"/", "/static/<name>", "/openapi.json"}
