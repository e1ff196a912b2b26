"""An answer is lost, and the gateway is away for longer than its duplicate window: nothing is doubled."""

import asyncio
from types import SimpleNamespace

import pytest

from forwarding.recorder import Recorder, row, rows
from ingest.acceptance import RecordingReport
from ingest.server import Served
from intercomd_daemon.forward.gateway import Gateway
from intercomd_daemon.forward.settings import UpstreamSettings
from intercomd_daemon.forward.worker import ForwardWorker
from intercomd_daemon.spool.memory import MemorySpool
from tcp_proxy import TcpProxy

DAY = 86_400.0


@pytest.mark.parametrize("days", [0, 3, 80])
async def test_lost_answer_is_repeated_after_days(days: int) -> None:
    """The rows have left the gateway's spool by then, and its duplicate window has forgotten their ids."""
    clock = SimpleNamespace(now=1_760_000_000.5)
    far = MemorySpool(wall=lambda: clock.now, monotonic=lambda: clock.now)
    near, recorder = MemorySpool(), Recorder()
    await near.append(rows("a", "b"))
    async with Served(far, RecordingReport()) as served, TcpProxy(f"127.0.0.1:{served.port}") as proxy:
        gateway = Gateway(UpstreamSettings(target=proxy.address))
        outflow = await near.acquire("upstream default")
        worker = ForwardWorker("default", "agent-1", outflow, gateway, recorder, paused=True)
        task = asyncio.create_task(worker.run())
        worker.pause(paused=False)
        await recorder.until(lambda: recorder.states[-1:] == [("DELIVERING", "")])
        proxy.losing = True
        await near.append([row("c")])
        await proxy.until_lost()
        while not far._rows:
            await proxy.until_lost()
        worker.pause(paused=True)
        delivered = {kept.incoming.envelope_id for kept in far._rows.values()}
        for key in [*far._rows]:
            far._remove(key)
        for day in range(days):
            clock.now += DAY + 1
            await far.append([row(f"later-{day}")])
        proxy.cut()
        proxy.losing = False
        worker.pause(paused=False)
        worker.probe_now()
        assert set(await recorder.ended(3)) == {"a", "b", "c"}
        worker.stop()
        await task
        await gateway.close()
    arrived = [kept.incoming.envelope_id for kept in far._rows.values()]
    doubled = delivered & set(arrived)
    assert not doubled
    assert delivered | set(arrived) == {"a", "b", "c", *(f"later-{day}" for day in range(days))}
    assert {outcome.type.name for outcome in recorder.outcomes} == {"FORWARDED"}
