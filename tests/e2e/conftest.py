"""What every test of the way has: a sandbox in Intercom's place, and daemons in front of it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from daemons.process import Daemon, Start
from intercomd_daemon.sandbox import Sandbox


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """A workspace without contacts, attributes or limits; nothing that Intercom does not describe was asked of it."""
    async with Sandbox() as running:
        yield running
        assert running.illegal_requests == []


@pytest.fixture(scope="session")
def command() -> Sequence[str | Path]:
    """How daemons are started: by a fork, unless a module that tests the start itself chooses the executable."""
    return ()


@pytest.fixture
async def start(tmp_path: Path, sandbox: Sandbox, command: Sequence[str | Path]) -> AsyncIterator[Start]:
    """Starts a daemon that delivers to the sandbox, with these tables of settings beside."""
    async with AsyncExitStack() as closing:

        async def started(**tables: Any) -> Daemon:  # noqa: ANN401 - tables of settings
            daemon = await Daemon(tmp_path, sandbox.base_url, tables, command).start()
            closing.push_async_callback(daemon.close)
            return daemon

        yield started


@pytest.fixture
async def daemon(start: Start) -> Daemon:
    """A daemon with the contract's defaults."""
    return await start()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_sandbox() -> AsyncIterator[Sandbox]:
    """One workspace for all tests of a module, which keep to users of their own."""
    async with Sandbox() as running:
        yield running
        assert running.illegal_requests == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_daemon(
    tmp_path_factory: pytest.TempPathFactory, shared_sandbox: Sandbox, command: Sequence[str | Path]
) -> AsyncIterator[Daemon]:
    """One daemon with the contract's defaults for all tests of a module."""
    daemon = Daemon(tmp_path_factory.mktemp("shared"), shared_sandbox.base_url, command=command)
    yield await daemon.start()
    await daemon.close()


@pytest_asyncio.fixture(loop_scope="module")
async def shared(shared_daemon: Daemon) -> AsyncIterator[Daemon]:
    """The daemon of the module; it makes no call about an earlier test's users, which the next one would count."""
    yield shared_daemon
    if shared_daemon.runs:
        await shared_daemon.idle()
