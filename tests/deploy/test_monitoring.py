"""Alert rules and the dashboard: every metric exists, and every alert is tested and documented."""

import json
import re

import pytest

from deployment.files import (
    DASHBOARD,
    OPERATIONS,
    RULES_TEST,
    alerts,
    documented_metrics,
    metrics_in,
    panels,
)

ALERTS = {rule["alert"]: rule for rule in alerts()}


@pytest.mark.parametrize("name", ALERTS)
def test_alert_uses_documented_metrics(name: str) -> None:
    used = metrics_in(ALERTS[name]["expr"])
    assert used
    assert used <= documented_metrics()


@pytest.mark.parametrize("name", ALERTS)
def test_alert_says_what_happened_and_what_to_do(name: str) -> None:
    rule = ALERTS[name]
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert set(rule["annotations"]) == {"summary", "description"}


@pytest.mark.parametrize("name", ALERTS)
def test_alert_has_a_case_that_fires(name: str) -> None:
    assert re.search(rf'alertname(="|: ){name}\b', RULES_TEST.read_text())


def test_documentation_lists_the_alerts() -> None:
    assert re.findall(r"\| `(Intercomd\w+)` \|", OPERATIONS.read_text()) == list(ALERTS)


@pytest.mark.parametrize(("title", "expression"), list(panels()))
def test_panel_uses_documented_metrics(title: str, expression: str) -> None:
    used = metrics_in(expression)
    assert used <= documented_metrics(), title
    assert used or expression.startswith(("process_", "rate(process_")), title


def test_panels_do_not_overlap() -> None:
    cells = [
        (x, y)
        for panel in json.loads(DASHBOARD.read_text())["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))


def test_dashboard_names_no_data_source_of_its_own() -> None:
    assert set(re.findall(r'"uid": "([^"]*)"', DASHBOARD.read_text())) == {"${datasource}", "intercomd"}
