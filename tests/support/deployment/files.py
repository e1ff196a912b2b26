"""The files of `deploy/`, and the metrics that its expressions name."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
RULES = DEPLOY / "prometheus" / "intercomd.rules.yaml"
RULES_TEST = RULES.with_name("intercomd.rules.test.yaml")
DASHBOARD = DEPLOY / "grafana" / "intercomd.json"
UNIT = DEPLOY / "systemd" / "intercomd.service"
OPERATIONS = ROOT / "daemon" / "docs" / "operations.md"


def load(path: Path) -> Any:  # noqa: ANN401 - a document
    return yaml.safe_load(path.read_text())


def documented_metrics() -> set[str]:
    """Return the names in the documentation's table, with those of a histogram's series."""
    rows = re.findall(r"\| `(intercomd_\w+)` \| (\w+) \|", OPERATIONS.read_text())
    names = {name for name, _ in rows}
    for name, kind in rows:
        if kind == "histogram":
            names |= {f"{name}_bucket", f"{name}_count", f"{name}_sum"}
    return names


def metrics_in(expression: str) -> set[str]:
    return set(re.findall(r"\bintercomd_\w+", re.sub(r'"[^"]*"', "", expression)))


def alerts() -> list[dict[str, Any]]:
    return [rule for group in load(RULES)["groups"] for rule in group["rules"]]


def panels() -> Iterator[tuple[str, str]]:
    """Yield the title and the expression of each query of the dashboard."""
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
