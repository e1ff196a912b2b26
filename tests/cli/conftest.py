"""What tests of commands share: a daemon that they speak to, and commands that are killed if a test fails."""

from collections.abc import AsyncIterator, Awaitable, Callable

import commands
import pytest
import pytest_asyncio
from daemons import Daemon

from intercomd_daemon.sandbox import Sandbox


@pytest.fixture
async def launch() -> AsyncIterator[Callable[..., Awaitable[commands.Command]]]:
    """Starts a command as a shell does."""
    launched: list[commands.Command] = []

    async def started(*words: object) -> commands.Command:
        launched.append(await commands.launch(*words))
        return launched[-1]

    yield started
    for command in launched:
        await command.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    """One workspace for all tests of a module, which keep to users of their own."""
    async with Sandbox() as running:
        yield running
        assert running.illegal_requests == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def daemon(tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox) -> AsyncIterator[Daemon]:
    """One daemon for all tests of a module."""
    running = Daemon(tmp_path_factory.mktemp("daemon"), sandbox.base_url)
    yield await running.start()
    await running.close()
