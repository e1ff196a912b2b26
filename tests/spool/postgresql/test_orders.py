"""Orders of operators between daemons of one database."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import SimpleNamespace

import asyncpg
import pytest

from daemons.process import WAIT_SECONDS
from intercomd_daemon.errors import LeaseLost, RetryLater
from intercomd_daemon.fleet.orders import Answer, Order, OrderKind
from intercomd_daemon.spool.postgresql import orders
from intercomd_daemon.spool.postgresql.engine import PostgresqlSpool
from intercomd_daemon.spool.postgresql.outflow import PostgresqlOutflow

Open = Callable[..., Awaitable[PostgresqlSpool]]
PAUSE = ("w", "default", OrderKind.PAUSE, 0, "")
GIVE_UP = ("w", "default", OrderKind.GIVE_UP, 5, "id")
WAIT = 0.7
"""Longer than a poll of the daemons here."""


async def open_both(open_daemon: Open) -> tuple[PostgresqlSpool, PostgresqlSpool]:
    return await open_daemon(poll_seconds=0.5), await open_daemon(poll_seconds=0.5)


async def given(outflow: PostgresqlOutflow) -> list[Order]:
    while True:
        if found := await outflow.orders(()):
            return found


async def waits(task: asyncio.Task[Answer]) -> bool:
    """Whether a task is still waiting after the next poll."""
    _, pending = await asyncio.wait({task}, timeout=WAIT)
    return bool(pending)


async def test_order_of_any_daemon_is_answered_by_the_holder(open_daemon: Open) -> None:
    one, two = await open_both(open_daemon)
    outflow = await one.acquire("w")
    ordering = asyncio.create_task(two.fleet.order(*GIVE_UP))
    (order,) = await given(outflow)
    assert order == Order(1, "default", OrderKind.GIVE_UP, 5, "id", 0)
    assert await outflow.orders({1}) == [], "it is known"
    await outflow.answer(order, Answer(7))
    await outflow.answer(order, Answer(8))
    assert await ordering == Answer(7), "the first answer counts"
    assert await outflow.orders(()) == []


async def test_holder_and_caller_are_notified_before_the_next_poll(open_daemon: Open) -> None:
    one, two = await open_daemon(poll_seconds=300.0), await open_daemon(poll_seconds=300.0)
    outflow = await one.acquire("w")
    pending = asyncio.create_task(outflow.orders(()))
    await asyncio.wait({pending}, timeout=WAIT)
    ordering = asyncio.create_task(two.fleet.order(*GIVE_UP))
    assert await pending == []
    (order,) = await given(outflow)
    await outflow.answer(order, Answer(1))
    assert await ordering == Answer(1)


async def test_pause_is_stored_and_needs_no_answer_without_a_holder(open_daemon: Open) -> None:
    one, two = await open_both(open_daemon)
    assert await two.fleet.order(*PAUSE) == Answer()
    assert await one.paused() == frozenset({"default"})
    outflow = await one.acquire("w")
    await outflow.release()
    assert await two.fleet.order("w", "default", OrderKind.RESUME, 0, "") == Answer()
    assert await one.paused() == frozenset()


async def test_pause_waits_until_the_lease_of_a_lost_holder_has_ended(
    open_daemon: Open, clock: SimpleNamespace
) -> None:
    one, two = await open_both(open_daemon)
    await one.acquire("w")
    stopped = clock.monotonic
    one.leases.clock = lambda: stopped
    ordering = asyncio.create_task(two.fleet.order(*PAUSE))
    assert await waits(ordering)
    clock.monotonic += 11.9
    assert await waits(ordering)
    clock.monotonic += 0.2
    assert await ordering == Answer()


async def test_give_up_is_left_for_the_next_holder(open_daemon: Open) -> None:
    one, two = await open_both(open_daemon)
    outflow = await one.acquire("w")
    ordering = asyncio.create_task(two.fleet.order(*GIVE_UP))
    (order,) = await given(outflow)
    await outflow.release()
    with pytest.raises(LeaseLost):
        await outflow.answer(order, Answer(1))
    with pytest.raises(LeaseLost):
        await outflow.orders(())
    assert await waits(ordering)
    await one.close()
    outflow = await two.acquire("w")
    assert await given(outflow) == [order]
    await outflow.answer(order, Answer(2))
    assert await ordering == Answer(2)


async def test_caller_survives_the_end_of_its_sessions(open_daemon: Open, url: str) -> None:
    one, two = await open_both(open_daemon)
    ordering = asyncio.create_task(two.fleet.order(*GIVE_UP))
    outflow = await one.acquire("w")
    await given(outflow)
    connection = await asyncpg.connect(url)
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await connection.close()
    async with asyncio.timeout(WAIT_SECONDS):
        while not ordering.done():
            with suppress(LeaseLost):  # Another session may end only after the workspace was acquired again.
                outflow = await one.acquire("w")
                (order,) = await given(outflow)
                await outflow.answer(order, Answer(3))
                await ordering
    assert await ordering == Answer(3)


async def test_order_without_an_answer_in_time_stays_in_force(open_daemon: Open) -> None:
    one, two = await open_both(open_daemon)
    two.fleet.orders.order_seconds = 0.2
    outflow = await one.acquire("w")
    with pytest.raises(RetryLater, match="did not confirm"):
        await two.fleet.order(*GIVE_UP)
    assert [order.number for order in await given(outflow)] == [1]


async def test_lost_order_is_reported(open_daemon: Open, url: str) -> None:
    """An asynchronous fail-over loses the newest rows."""
    one, _ = await open_both(open_daemon)
    outflow = await one.acquire("w")
    ordering = asyncio.create_task(one.fleet.order(*GIVE_UP))
    await given(outflow)
    connection = await asyncpg.connect(url)
    await connection.execute("DELETE FROM intercomd.orders")
    await connection.close()
    with pytest.raises(RetryLater, match="fail-over"):
        await ordering


@pytest.mark.fills("spool.postgresql.orders.ORDERS_MAX")
async def test_orders_beyond_the_limit_are_refused(open_daemon: Open, url: str) -> None:
    one, _ = await open_both(open_daemon)
    connection = await asyncpg.connect(url)
    await connection.execute(
        "INSERT INTO intercomd.orders (workspace, connection, kind, key, envelope_id, sequence)"
        " SELECT 'w', 1, 'retry', 0, '', 0 FROM generate_series(1, $1::integer)",
        orders.ORDERS_MAX,
    )
    with pytest.raises(RetryLater, match="1000 calls of operators wait"):
        await one.fleet.order(*PAUSE)
    await connection.execute("UPDATE intercomd.orders SET given = given - interval '61 minutes'")
    await connection.close()
    assert await one.fleet.order(*PAUSE) == Answer(), "old ones are deleted"
