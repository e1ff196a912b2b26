"""What lies between daemon and sandbox does what it counts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from intercom.fault_proxy import FaultProxy, Kind
from intercomd_daemon.sandbox import Sandbox

HEADERS = {"Authorization": "Bearer sandbox-token", "Accept": "application/json"}
CONTACT = {"role": "user", "external_id": "u1"}


@asynccontextmanager
async def between(*kinds: Kind) -> AsyncIterator[tuple[Sandbox, FaultProxy, aiohttp.ClientSession]]:
    """A sandbox, a proxy that does this to each call, and a client that speaks through it."""
    async with (
        Sandbox() as sandbox,
        FaultProxy(sandbox.base_url, 1, 1 if kinds else 0, kinds) as proxy,
        aiohttp.ClientSession(proxy.base_url, headers=HEADERS) as client,
    ):
        yield sandbox, proxy, client


async def create(client: aiohttp.ClientSession) -> int:
    async with client.post("/contacts", json=CONTACT) as answer:
        await answer.read()
        return answer.status


@pytest.mark.parametrize(
    ("kind", "taken"), [(Kind.CUT_BEFORE, False), (Kind.CUT_AFTER, True), (Kind.CUT_MIDDLE, True)], ids=str
)
async def test_cut_call_fails_with_or_without_its_effect_as_chosen(kind: Kind, taken: bool) -> None:
    async with between(kind) as (sandbox, proxy, client):
        with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError, ConnectionResetError)):
            await create(client)
        assert [contact.external_id for contact in sandbox.contacts] == (["u1"] if taken else [])
        assert proxy.faults == {kind: 1}
        assert not proxy.answered


async def test_call_without_a_fault_passes_through() -> None:
    """Also one with a short delay."""
    async with between() as (_, proxy, client):
        assert [await create(client), await create(client)] == [200, 409]
        assert proxy.statuses == {200: 1, 409: 1}
        assert (proxy.calls, proxy.open, proxy.abandoned) == (2, 0, 0)
    async with between(Kind.DELAY) as (_, proxy, client):
        assert await create(client) == 200
        assert proxy.faults == {Kind.DELAY: 1}


async def test_outage_refuses_connections_and_ends() -> None:
    async with between() as (_, proxy, client):
        assert await create(client) == 200
        proxy.refuse()
        async with aiohttp.ClientSession(proxy.base_url) as another:
            with pytest.raises(aiohttp.ClientConnectorError):
                await create(another)
        await proxy.listen()
        assert await create(client) == 409


async def test_delayed_response_outlives_its_caller() -> None:
    async with between() as (sandbox, proxy, client):
        proxy.holding = True
        call = asyncio.ensure_future(create(client))
        await sandbox.wait_for(lambda sandbox: sandbox.contacts)
        call.cancel()
        await proxy.until(lambda: not proxy.open)
        assert proxy.abandoned == 1
        assert len(sandbox.contacts) == 1
        proxy.let_go()
        assert await create(client) == 409
