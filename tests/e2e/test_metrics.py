"""The table of metrics in the documentation, against the first scrape of a daemon."""

import re
from pathlib import Path
from typing import NamedTuple

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from daemons.process import Daemon

DOCUMENT = Path(__file__).parents[2] / "daemon" / "docs" / "operations.md"
ROW = re.compile(r"\| `(?P<name>intercomd_\w+)` \| (?P<type>\w+) \| (?P<labels>[^|]*) \|")

OF_AGENTS = "intercomd_forward_calls_total"
OF_FLEETS = ("intercomd_connection_delivered", "intercomd_database_", "intercomd_fleet_")
"""What the metrics begin with that only daemons on one PostgreSQL have (`tests/fleet/test_operating.py`)."""


class Metric(NamedTuple):
    type: str
    labels: frozenset[str]


def documented() -> dict[str, Metric]:
    return {
        row["name"]: Metric(row["type"], frozenset(re.findall(r"`(\w+)`", row["labels"])))
        for row in ROW.finditer(DOCUMENT.read_text())
    }


async def scraped(daemon: Daemon) -> dict[str, Metric]:
    async with aiohttp.ClientSession() as session, session.get(f"http://{daemon.http_address}/metrics") as answer:
        text = await answer.text()
    found = {}
    for family in text_string_to_metric_families(text):
        if family.name.startswith(("process_", "python_")):
            continue
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        suffix = "_total" if family.type == "counter" else ""
        found[family.name + suffix] = Metric(family.type, frozenset(labels))
    return found


async def test_documented_metrics_are_those_of_the_first_scrape(daemon: Daemon) -> None:
    shown, listed = await scraped(daemon), documented()
    # An agent alone counts its calls to the gateway (test_agent.py).
    assert shown.pop(OF_AGENTS) == Metric("counter", frozenset())
    assert listed.pop(OF_AGENTS) == Metric("counter", frozenset({"connection", "code"}))
    assert shown == {name: metric for name, metric in listed.items() if not name.startswith(OF_FLEETS)}
