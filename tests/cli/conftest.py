"""Fixtures of the tests of commands: a sandbox, a daemon, and commands that are killed if a test fails."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from daemons import commands
from daemons.process import Daemon
from intercomd_daemon.sandbox import Sandbox


@pytest.fixture(autouse=True)
def _without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lays tables out as in a pipe, whatever the width of the terminal that started the tests."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture
async def launch() -> AsyncIterator[Callable[..., Awaitable[commands.Command]]]:
    """Starts commands in processes of their own."""
    launched: list[commands.Command] = []

    async def start(*words: object, ignore_interrupts: bool = False) -> commands.Command:
        launched.append(await commands.launch(*words, ignore_interrupts=ignore_interrupts))
        return launched[-1]

    yield start
    for command in launched:
        await command.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    """One workspace for all tests of a module; each test uses its own users."""
    async with Sandbox() as running:
        yield running
        assert running.illegal_requests == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def daemon(tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox) -> AsyncIterator[Daemon]:
    """One daemon for all tests of a module."""
    running = Daemon(tmp_path_factory.mktemp("daemon"), sandbox.base_url)
    yield await running.start()
    await running.close()
