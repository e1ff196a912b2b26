"""What the daemon that delivers does for operators, once, whatever becomes of it."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from msgspec.structs import replace

from fleet.delivering import Daemon, fleet
from intercomd_daemon import config
from intercomd_daemon.deliver.give_up import complete_row
from intercomd_daemon.fleet.orders import OrderKind
from intercomd_daemon.outcome import OutcomeType
from intercomd_daemon.sandbox import Sandbox
from intercomd_daemon.spool.rows import Completion
from intercomd_daemon.spool.trail import TrailFilter

Load = Callable[..., config.Settings]
Start = Callable[..., Awaitable[Daemon]]


@pytest.fixture
async def start(load: Load, sandbox: Sandbox) -> AsyncIterator[Start]:
    async with fleet() as starting:
        yield lambda **tables: starting(load(sandbox.base_url, **tables))


async def test_give_up_is_performed_once_over_a_take_over(start: Start) -> None:
    """The owner ended the envelope and was lost before it answered; the next one finds what it did."""
    one = await start()
    settings, workspace = one.connections._settings["default"], one.connections.workspace_of("default")
    assert workspace
    await one.operators.pause("default", paused=True)
    await one.publish("given up")
    await one.publish("delivered")
    await one.connections.close()
    delivered, given_up = await one.spool.find_waiting(TrailFilter(customer_id="u1"), 0, 2)
    orders = [
        asyncio.create_task(one.spool.fleet.order(workspace, "default", OrderKind.GIVE_UP, key, name))
        for key, name in ((given_up, "given up"), (delivered, "delivered"))
    ]
    while len(await one.spool.fleet.orders.pending(workspace, ())) < len(orders):
        assert not any(order.done() for order in orders), orders
    for found in await one.spool.waiting_rows([given_up, delivered]):
        completion = complete_row(found, settings, time.time())
        if found.row.key == delivered:
            outcome = replace(completion.outcome, type=OutcomeType.DELIVERED, reason="")
            completion = Completion(delivered, outcome)
        assert await one.spool.complete("default", completion)
    await start()
    assert [answer.result for answer in await asyncio.gather(*orders)] == [1, 0]


@pytest.mark.parametrize("others", [[], ["eu"]], ids=["alone", "beside an active one"])
async def test_envelope_of_an_inactive_connection_is_given_up(
    start: Start, sandbox: Sandbox, others: list[str]
) -> None:
    other = {"app_id": "other", "access_token": "token", "base_url": sandbox.base_url}
    one = await start(connections={"default": {"active": False}, **dict.fromkeys(others, other)})
    await one.publish("waits")
    await one.operators.pause("default", paused=True)
    outcome = await one.operators.give_up("default", "waits")
    assert outcome is not None
    assert outcome.reason == "GIVEN_UP"
    assert await one.ended("waits") == [OutcomeType.DEAD_LETTERED]
