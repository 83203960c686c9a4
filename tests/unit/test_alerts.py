"""Each alert rule uses only metrics that the services expose."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

import balances.metrics
import wallet.metrics
from common.mysql import DatabaseUnavailable

FILE = Path(__file__).parents[2] / "docker" / "prometheus-alerts.yml"
RULES = [rule for group in yaml.safe_load(FILE.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_each_alert_uses_metrics_that_the_services_expose(rule):
    used = set(re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", re.sub(r"\(.*?\)(?= \()|\{.*?\}", "", rule["expr"])))

    assert used <= exposed()
    assert rule["annotations"]["summary"]
    assert rule["labels"]["severity"] in ("page", "ticket")


@pytest.mark.parametrize(
    "metric",
    ["wallet_outbox_oldest_seconds", "balances_lag_seconds", "balances_dead_letters", "balances_partitions_consumed"],
)
def test_there_is_an_alert_on_each_important_metric(metric):
    assert any(metric in rule["expr"] for rule in RULES)


def exposed():
    status = SimpleNamespace(read=dict)
    families = [collect(NoDatabase(), status) for collect in (wallet.metrics.collect, balances.metrics.collect)]
    return {family.name for each in families for family in each} | {"http_requests_total"}


class NoDatabase:
    def probe(self, query):
        raise DatabaseUnavailable
