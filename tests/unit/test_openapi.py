"""Each route of a service is described in its http/*.openapi.json, and nothing else is."""

import json
import re

import pytest

import balances.api
import wallet.api

APPS = {
    wallet.api.DESCRIPTION: wallet.api.create_app(database=None, status=None, committed=None),
    balances.api.DESCRIPTION: balances.api.create_app(database=None, status=None),
}


@pytest.mark.parametrize("description", APPS, ids=lambda path: path.name)
def test_every_route_is_described_and_every_description_has_its_route(description):
    served = {(route.method, re.sub(r"<\w+(:id)?>", "{}", route.rule)) for route in APPS[description].routes}

    paths = json.loads(description.read_text("utf-8"))["paths"]

    described = {(method.upper(), re.sub(r"{\w+}", "{}", path)) for path in paths for method in paths[path]}
    assert described - {("GET", "/metrics")} == served  # metrics_middleware() adds that one
