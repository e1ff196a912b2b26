"""Tests that SIGINT ends commands, whatever their parent process does with it."""

import asyncio
import signal
from collections.abc import Awaitable, Callable

import pytest

from daemons.commands import Command
from daemons.process import Daemon
from intercomd_daemon.cli.signals import run_interruptible

Launch = Callable[..., Awaitable[Command]]


@pytest.mark.asyncio(loop_scope="module")
async def test_sigint_ends_commands_whose_parent_ignores_it(daemon: Daemon, launch: Launch) -> None:
    """A shell without job control starts background commands like that."""
    sandbox = await launch("sandbox", "--port", 0, "--json", ignore_interrupts=True)
    watch = await launch("watch", "--operations", daemon.operations_address, ignore_interrupts=True)
    send = await launch("send", "--target", daemon.ingest_address, ignore_interrupts=True)
    await sandbox.line()
    await watch.error()
    await send.write(b'{"envelope_id":"i-1","identity":{"customer_id":"i-1"},"custom_event":{"name":"now"}}\n')
    await daemon.ended(["i-1"])
    for command in (sandbox, watch, send):
        command.interrupt()
        assert (await command.ended())[0] == 0


async def returning(result: str) -> str:
    return result


async def test_run_interruptible_works_outside_the_main_thread() -> None:
    """Signal handlers can only be set in the main thread."""
    before = signal.getsignal(signal.SIGINT)
    assert await asyncio.to_thread(run_interruptible, returning("result")) == "result"
    assert signal.getsignal(signal.SIGINT) is before
