"""Alert rules by promtool, and the dashboard's queries by a Prometheus that scrapes a daemon.

`make deploy` runs this: promtool and prometheus are Debian's package `prometheus`.
"""

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from daemons.process import Daemon
from deployment.files import DEPLOY, RULES, RULES_TEST, panels
from deployment.prometheus import running_prometheus
from intercomd.v1.ingest_pb2 import Disposition
from intercomd_daemon.sandbox import Fault, Sandbox
from senders.client import envelope

WAIT_SECONDS = 60.0
ACCEPTED = Disposition.DISPOSITION_ACCEPTED


def promtool(*words: str | Path) -> str:
    done = subprocess.run(["promtool", *words], capture_output=True, text=True, check=False)  # noqa: S603, S607
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_rules_are_valid() -> None:
    assert "SUCCESS" in promtool("check", "rules", RULES)


def test_rules_fire_on_their_causes_alone() -> None:
    assert "SUCCESS" in promtool("test", "rules", RULES_TEST)


def test_prometheus_of_the_compose_file_is_valid() -> None:
    promtool("check", "config", "--syntax-only", DEPLOY / "prometheus" / "prometheus.yaml")


class Scraped:
    """A daemon behind a page that relays its metrics, so that a test waits for scrapes and not for time."""

    def __init__(self, daemon: Daemon, sandbox: Sandbox) -> None:
        self.daemon = daemon
        self.sandbox = sandbox
        self.address = ""
        self._scrapes = 0
        self._changed = asyncio.Event()

    async def metrics(self, _request: web.Request) -> web.Response:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://{self.daemon.http_address}/metrics") as page,
        ):
            body = await page.read()
        self._scrapes += 1
        self._changed.set()
        return web.Response(body=body, headers={"Content-Type": page.headers["Content-Type"]})

    async def next_scrape(self) -> None:
        """Wait until the scrape after the present one begins: what came before is stored then."""
        seen = self._scrapes
        async with asyncio.timeout(WAIT_SECONDS):
            while self._scrapes < seen + 2:
                self._changed.clear()
                await self._changed.wait()


@pytest.fixture
async def scraped(daemon: Daemon, sandbox: Sandbox) -> AsyncIterator[Scraped]:
    relay = Scraped(daemon, sandbox)
    application = web.Application()
    application.router.add_get("/metrics", relay.metrics)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    relay.address = site.name.removeprefix("http://")
    yield relay
    await runner.cleanup()


@pytest.fixture
async def prometheus(scraped: Scraped, tmp_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of a Prometheus that scrapes the daemon each second, and has done so."""
    async with running_prometheus(tmp_path, scraped.address) as session:
        await scraped.next_scrape()
        yield session


async def query(session: aiohttp.ClientSession, expression: str) -> list[dict[str, Any]]:
    async with session.get("/api/v1/query", params={"query": expression}) as answer:
        found = await answer.json()
    assert found["status"] == "success", found
    result: list[dict[str, Any]] = found["data"]["result"]
    return result


async def found(session: aiohttp.ClientSession, scraped: Scraped, expression: str) -> list[dict[str, Any]]:
    """Return the result of a query once it has one."""
    async with asyncio.timeout(WAIT_SECONDS):
        while not (result := await query(session, expression)):
            await scraped.next_scrape()
    return result


async def test_every_query_of_the_dashboard_finds_series(prometheus: aiohttp.ClientSession, scraped: Scraped) -> None:
    results = await scraped.daemon.publish(envelope("u1", "came", update={"plan": "pro"}, envelope_id="e1"))
    assert results.results[0].disposition == ACCEPTED
    await scraped.daemon.ended(["e1"])
    for title, expression in panels():
        filled = re.sub(r"\$(job|instance|connection)\b", ".*", expression).replace("$__rate_interval", "1m")
        assert await found(prometheus, scraped, filled), title


async def test_alerts_fire_at_the_first_rejection_and_the_first_dead_letter(
    prometheus: aiohttp.ClientSession, scraped: Scraped
) -> None:
    assert await query(prometheus, "ALERTS") == []
    scraped.sandbox.fault(Fault("POST", "/events", status=413))
    await scraped.daemon.publish(envelope("", "came"), envelope("u1", "came", envelope_id="e1"))
    await scraped.daemon.ended(["e1"])
    firing = await found(prometheus, scraped, 'ALERTS{alertname="IntercomdDeadLetters", alertstate="firing"}')
    assert [one["metric"]["reason"] for one in firing] == ["TOO_LARGE"]
    firing = await found(prometheus, scraped, 'ALERTS{alertname="IntercomdEnvelopesRejected", alertstate="firing"}')
    assert [one["metric"]["reason"] for one in firing] == ["IDENTITY_REQUIRED"]
