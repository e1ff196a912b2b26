"""Settings as a user writes them, and an Intercom that they lead to."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from daemons.process import write_settings
from intercom.fault_proxy import FaultProxy
from intercomd_daemon import config
from intercomd_daemon.sandbox import Sandbox, SandboxSettings
from intercomd_daemon.sandbox.recorded import NONE


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., config.Settings]:
    """Settings with these tables, in front of a sandbox."""

    def loaded(base_url: str, **tables: Any) -> config.Settings:  # noqa: ANN401 - tables of settings
        return config.load(str(write_settings(tmp_path, base_url, tables)), {}).settings

    return loaded


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(SandboxSettings(recorded=NONE)) as running:
        yield running
        assert running.illegal_requests == []


@pytest.fixture
async def intercom(sandbox: Sandbox) -> AsyncIterator[FaultProxy]:
    """The sandbox behind a proxy that can keep its responses back."""
    async with FaultProxy(sandbox.base_url, seed=1) as proxy:
        yield proxy
