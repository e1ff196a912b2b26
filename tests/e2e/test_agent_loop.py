"""Agents whose targets lead back to themselves keep everything and name the loop; nothing is reported as forwarded."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from daemons.process import Daemon
from intercomd.v1.ingest_pb2 import PreviewRequest
from intercomd.v1.operations_pb2 import RetryConnectionRequest
from intercomd_daemon.sandbox import Sandbox
from ports import free_port
from senders.client import envelope


def free_address() -> str:
    return f"127.0.0.1:{free_port()}"


class Circle:
    """Agents of which each has the next one as its gateway."""

    def __init__(self, folder: Path, base_url: str) -> None:
        self._folder = folder
        self._base_url = base_url
        self.agents: list[Daemon] = []
        self.addresses: Sequence[str] = ()

    def make(self, name: str, address: str, target: str) -> Daemon:
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        upstream = {"upstream": {"target": target}} if target else {}
        self.agents.append(Daemon(folder, self._base_url, {"ingest": {"listen": [address]}, **upstream}))
        return self.agents[-1]

    def make_all(self, size: int) -> None:
        self.addresses = [free_address() for _ in range(size)]
        for number, (address, target) in enumerate(pairwise([*self.addresses, self.addresses[0]])):
            self.make(f"agent-{number}", address, target)

    async def retry(self) -> None:
        """Lets each agent call its gateway now."""
        for agent in self.agents:
            await agent.operations.RetryConnection(RetryConnectionRequest(connection="default"))

    async def close(self) -> None:
        await asyncio.gather(*(agent.close() for agent in self.agents))


@pytest.fixture
async def circle(tmp_path: Path, sandbox: Sandbox) -> AsyncIterator[Circle]:
    made = Circle(tmp_path, sandbox.base_url)
    yield made
    await made.close()


@pytest.mark.parametrize("size", [1, 2, 3])
async def test_agents_in_a_circle_keep_their_envelopes(circle: Circle, size: int) -> None:
    """However they start: each answers a probe alone while the next one is away."""
    circle.make_all(size)
    for number, agent in enumerate(circle.agents):
        await agent.start()
        await agent.publish(envelope("u-1", "step", envelope_id=f"e-{number}"))
    await circle.retry()
    for agent in circle.agents:
        await agent.heard("connection", state="suspended", reason="UPSTREAM_LOOP")
        assert (await agent.connection()).waiting_normal == 1
        assert not await agent.journal()
    checked = await circle.agents[0].publish(envelope("u-1", "step"), validate_only=True)
    assert [each.reason for each in checked.results[0].adjustments] == ["VALIDATED_LOCALLY"]
    with pytest.raises(Exception, match="leads back"):
        await circle.agents[0].ingest.Preview(PreviewRequest(envelopes=[envelope("u-1", "step")]))


async def test_circle_that_is_opened_delivers_what_the_agents_kept(circle: Circle, sandbox: Sandbox) -> None:
    circle.make_all(2)
    for number, agent in enumerate(circle.agents):
        await agent.start()
        await agent.publish(envelope(f"u-{number}", "step", envelope_id=f"e-{number}"))
    await circle.retry()
    first, second = circle.agents
    await second.heard("connection", state="suspended", reason="UPSTREAM_LOOP")
    await second.hurry()
    gateway = circle.make("gateway", address := free_address(), "")
    await gateway.start()
    opened = circle.make("agent-1", circle.addresses[1], address)
    await opened.start()
    await opened.heard("forwarded")
    await first.operations.RetryConnection(RetryConnectionRequest(connection="default"))
    await gateway.ended(["e-0", "e-1"])
    assert len(sandbox.events) == 2


async def test_agent_behind_an_agent_forwards_only_once_a_gateway_has_answered(circle: Circle) -> None:
    edge, middle, end = (free_address() for _ in range(3))
    outer = circle.make("edge", edge, middle)
    inner = circle.make("middle", middle, end)
    await inner.start()
    await outer.start()
    await outer.publish(envelope("u-1", "step", envelope_id="a"))
    await outer.heard("connection", state="down")
    assert "its own gateway has not answered" in (await outer.connection()).last_error
    gateway = circle.make("gateway", end, "")
    await gateway.start()
    await inner.operations.RetryConnection(RetryConnectionRequest(connection="default"))
    await inner.heard("connection", state="delivering")
    await outer.operations.RetryConnection(RetryConnectionRequest(connection="default"))
    await gateway.ended(["a"])
    # From now on the agent in the middle may take envelopes while the gateway is away.
    await gateway.close()
    await outer.publish(envelope("u-1", "step", at=1, envelope_id="b"))
    await outer.until(lambda: len(outer.logged("forwarded")) == 2)
    assert [each.envelope_id for each in await outer.journal()] == ["a", "b"]
