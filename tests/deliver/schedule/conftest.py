from collections.abc import AsyncIterator

import pytest

from delivery.worker import TOKEN, settings_for
from intercomd_daemon.deliver.intercom.access_token import AccessToken
from intercomd_daemon.deliver.intercom.client import IntercomClient
from intercomd_daemon.sandbox import Sandbox, SandboxSettings


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(SandboxSettings(rate_limit=0)) as running:
        yield running


@pytest.fixture
async def intercom(sandbox: Sandbox) -> AsyncIterator[IntercomClient]:
    async with IntercomClient(settings_for(sandbox), AccessToken(TOKEN), 4) as session:
        yield session
