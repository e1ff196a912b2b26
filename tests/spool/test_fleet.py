"""Spools that are not shared have no fleet; a fleet's are in `tests/spool/postgresql/test_orders.py`."""

import asyncio
from pathlib import Path

import pytest

from intercomd_daemon.errors import LeaseLost
from intercomd_daemon.fleet.orders import Answer, Order, OrderKind
from intercomd_daemon.spool.base import Spool
from intercomd_daemon.spool.memory import MemorySpool
from intercomd_daemon.spool.sqlite import SqliteSettings, open_spool


@pytest.mark.parametrize("engine", ["memory", "sqlite"])
async def test_spool_of_one_process_has_no_orders(engine: str, tmp_path: Path) -> None:
    settings = SqliteSettings(path=str(tmp_path / "spool.db"))
    spool: Spool = MemorySpool() if engine == "memory" else await open_spool(settings)
    assert spool.fleet is None
    outflow = await spool.acquire("w")
    waiting = asyncio.ensure_future(outflow.orders(()))
    await outflow.answer(Order(1, "default", OrderKind.RETRY), Answer())
    assert not waiting.done()
    await outflow.release()
    with pytest.raises(LeaseLost):
        await waiting
    await spool.close()
