"""Which destination the settings name."""

import pytest

from intercomd_daemon import config
from intercomd_daemon.app.agent import Agent
from intercomd_daemon.app.delivery import Delivery
from intercomd_daemon.app.destination import destination_of
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.forward.settings import UpstreamSettings


@pytest.mark.parametrize(
    ("upstream", "kind", "has_worker"),
    [(UpstreamSettings(), Delivery, False), (UpstreamSettings(target="gateway:50051", insecure=True), Agent, True)],
)
async def test_daemon_with_an_upstream_is_an_agent(upstream: UpstreamSettings, kind: type, has_worker: bool) -> None:
    destination = destination_of(config.Settings(upstream=upstream), lambda _: None)
    assert isinstance(destination, kind)
    assert (destination.upstream is not None) is has_worker
    assert destination.has_worker(ConnectionSettings(name="eu", active=False)) is has_worker
    await destination.close()


async def test_agent_takes_no_connection_from_another_one_that_lives() -> None:
    """It has no token with which to verify that it could deliver."""
    settings = config.Settings(upstream=UpstreamSettings(target="gateway:50051", insecure=True))
    agent = destination_of(settings, lambda _: None)
    connections = {"eu": ConnectionSettings(name="eu"), "us": ConnectionSettings(name="us")}
    assert len({agent.workspace(each) for each in connections.values()}) == 2
    assert not await agent.may_deliver(connections)
    await agent.close()
