"""Draws what the queries of the Grafana dashboard find: `python tests/deploy/draw_dashboard.py [SECONDS]`.

It runs a sandbox, a daemon, senders and a Prometheus, and writes daemon/docs/dashboard.svg, without Grafana.
"""

import asyncio
import json
import math
import re
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from daemons.process import Daemon, connection_for
from deployment.chart import Box, Series, line_panel, number_panel, picture, text
from deployment.files import DASHBOARD, OPERATIONS
from deployment.prometheus import running_prometheus
from intercomd_daemon.sandbox import Fault, Sandbox, SandboxSettings
from senders.client import envelope

SECONDS = 300.0
REQUESTS_PER_SECOND = 4
STEP_SECONDS = 5
# "$__rate_interval: at least four times the scrape interval", which is 1 s here.
RATE_INTERVAL = "15s"
WIDTH, UNIT, TOP = 1200, 34, 40
PICTURE = OPERATIONS.with_name("dashboard.svg")


async def reach(moment: float) -> None:
    """Returns at a moment of the event loop's clock."""
    loop = asyncio.get_running_loop()
    due = loop.create_future()
    loop.call_at(moment, due.set_result, None)
    await due


async def publish(daemon: Daemon, start: float, seconds: float) -> None:
    """Sends what senders send, wrong envelopes included, to two connections."""
    for number in range(int(seconds * REQUESTS_PER_SECOND)):
        await reach(start + number / REQUESTS_PER_SECOND)
        user = f"user-{number % 60}"
        sent = [
            envelope(user, f"Event {number % 7}", update={"plan": ("free", "pro")[number % 2]}),
            envelope(f"shop-{number % 40}", "Paid", connection="shop"),
        ]
        if number % 9 == 0:
            sent.append(envelope("", "Nobody"))
        if number % 15 == 0:
            sent.append(envelope("null", "Placeholder"))
        await daemon.publish(*sent)


async def trouble(sandbox: Sandbox, start: float, seconds: float) -> None:
    """Plays refusals, a rate limit and an outage."""
    await reach(start + 0.2 * seconds)
    sandbox.fault(Fault("POST", "/events", status=413, times=3))
    await reach(start + 0.4 * seconds)
    sandbox.fault(Fault("POST", "/events", status=429, times=4))
    await reach(start + 0.6 * seconds)
    await sandbox.stop()
    await reach(start + 0.7 * seconds)
    await sandbox.start()


def query_of(expression: str) -> str:
    filled = re.sub(r"\$(job|instance|connection)\b", ".*", expression)
    return filled.replace("$__rate_interval", RATE_INTERVAL)


async def series(session: aiohttp.ClientSession, panel: dict[str, Any], start: float, end: float) -> list[Series]:
    """Returns the lines of a panel."""
    found = []
    for target in panel["targets"]:
        parameters = {"query": query_of(target["expr"]), "start": start, "end": end, "step": STEP_SECONDS}
        async with session.get("/api/v1/query_range", params=parameters) as answer:
            results = (await answer.json())["data"]["result"]
        for result in results:
            points = [(moment - start, float(value)) for moment, value in result["values"]]
            found.append(Series(name_of(target["legendFormat"], result["metric"]), points))
    return found


def name_of(legend: str, labels: dict[str, str]) -> str:
    return re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda label: labels.get(label[1], ""), legend).strip()


def drawn(panel: dict[str, Any], lines: list[Series], seconds: float) -> str:
    place, unit = panel["gridPos"], panel["fieldConfig"]["defaults"].get("unit", "short")
    column = WIDTH / 24
    box = Box(place["x"] * column + 4, TOP + place["y"] * UNIT + 4, place["w"] * column - 8, place["h"] * UNIT - 8)
    if panel["type"] != "stat":
        return line_panel(box, panel["title"], unit, lines, seconds)
    value = next((value for line in lines for _, value in reversed(line.points) if math.isfinite(value)), 0.0)
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    limits = [step["value"] for step in steps if step["value"] is not None]
    return number_panel(box, panel["title"], value, unit, alarming=bool(limits) and value >= limits[-1])


async def main(seconds: float) -> None:
    """Runs everything for some time, and draws it."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings = SandboxSettings(rate_limit=400)
        sandbox = await stack.enter_async_context(Sandbox(settings))
        connections = {"shop": connection_for(sandbox.base_url, folder / "token")}
        daemon = await Daemon(folder, sandbox.base_url, {"connections": connections}).start()
        stack.push_async_callback(daemon.close)
        session = await stack.enter_async_context(running_prometheus(folder, daemon.http_address))
        start = time.time()
        begin = asyncio.get_running_loop().time()
        await asyncio.gather(publish(daemon, begin, seconds), trouble(sandbox, begin, seconds))
        end = time.time()
        panels = json.loads(DASHBOARD.read_text())["panels"]
        parts = [drawn(panel, await series(session, panel, start, end), end - start) for panel in panels]
    height = TOP + UNIT * max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    source = "The queries of deploy/grafana/intercomd.json"
    note = f"{source} over {seconds / 60:.0f} minutes, drawn by tests/deploy/draw_dashboard.py"
    PICTURE.write_text(picture((WIDTH, height), note, [text(12, 25, note, 'fill="#444" font-size="14"'), *parts]))
    print(f"{PICTURE}: {PICTURE.stat().st_size:,} bytes")  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS))
