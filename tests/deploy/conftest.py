"""A daemon before a sandbox, and processes that end with the test."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from daemons.process import Daemon
from intercomd_daemon.sandbox import Sandbox


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as running:
        yield running


@pytest.fixture
async def daemon(tmp_path: Path, sandbox: Sandbox) -> AsyncIterator[Daemon]:
    running = await Daemon(tmp_path, sandbox.base_url).start()
    yield running
    await running.close()


@pytest.fixture
async def launch() -> AsyncIterator[Callable[..., Awaitable[asyncio.subprocess.Process]]]:
    """Starts a program, which is killed at the end of the test if it still runs."""
    started: list[asyncio.subprocess.Process] = []

    async def start(*words: str | Path, **options: Any) -> asyncio.subprocess.Process:  # noqa: ANN401 - of asyncio
        started.append(await asyncio.create_subprocess_exec(*words, **options))
        return started[-1]

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.wait()
