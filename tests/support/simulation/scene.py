"""A worker, a spool and a sandbox over real HTTP, in virtual time."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from clock.virtual import VirtualLoop
from delivery.worker import NOON, Notes, delivering, settings_for
from intercomd_daemon.deliver.schedule.clock import Clock
from intercomd_daemon.deliver.worker import Worker
from intercomd_daemon.sandbox import Sandbox, SandboxSettings
from intercomd_daemon.spool.memory import MemorySpool


class Scene:
    """A worker, its spool, its sandbox, and what it tells."""

    sandbox: Sandbox
    spool: MemorySpool
    worker: Worker
    notes: Notes


def play(
    act: Callable[[Scene], Awaitable[None]],
    off_seconds: float = 0.0,
    settings: SandboxSettings | None = None,
    engine: type[MemorySpool] = MemorySpool,
) -> None:
    """Lets the act be played; Intercom's clock is off by so much."""

    async def run() -> None:
        now = asyncio.get_running_loop().time
        scene, clock = Scene(), Clock(lambda: NOON + now(), now, lambda: 1.0)
        async with AsyncExitStack() as stack:
            scene.sandbox = await stack.enter_async_context(Sandbox(settings, clock=lambda: clock.wall() + off_seconds))
            scene.spool = engine(wall=clock.wall, monotonic=now)
            stack.push_async_callback(scene.spool.close)
            scene.worker, scene.notes = await stack.enter_async_context(
                delivering(scene.spool, settings_for(scene.sandbox), clock=clock)
            )
            await act(scene)
            assert scene.sandbox.illegal_requests == []

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(run())
