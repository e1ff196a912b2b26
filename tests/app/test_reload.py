"""What a reload applies, in one process; tests/e2e/test_reload.py shows it from outside."""

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from daemons.in_process import daemon_of, events, serving, settings
from intercomd_daemon.config import LoadedSettings, Settings
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.errors import RetryLater, SettingsInvalid
from intercomd_daemon.rpc.settings import CallerSettings
from intercomd_daemon.setting.secret import Secret


def with_connections(folder: Path, **changes: object) -> Settings:
    """Returns settings whose connection has these values."""
    before = settings(folder, "memory:")
    return replace(before, connections={"default": replace(before.connections["default"], **changes)})


async def test_reload_compares_with_the_settings_of_the_reload_before(tmp_path: Path) -> None:
    names = iter(["Closed", "Closed", "Ended"])
    daemon, stream = daemon_of(
        settings(tmp_path, "memory:"),
        lambda: LoadedSettings(with_connections(tmp_path, session_end_name=next(names)), {}, ("mind this",)),
    )
    async with serving(daemon):
        reloads = await asyncio.gather(*(daemon.operators.reload() for _ in range(3)))
    key = ("connections.default.session_end_name",)
    assert [reloaded.changed for reloaded in reloads] == [key, (), key]
    assert reloads[0].warnings == ("mind this",)
    assert events(stream).count("reloaded") == 3


async def test_reload_that_fails_changes_nothing(tmp_path: Path) -> None:
    added = {"eu": ConnectionSettings(name="eu", app_id="b", access_token=Secret("t"), ca_file="/nowhere/ca.pem")}
    before = settings(tmp_path, "memory:")
    unusable = replace(before, connections={**before.connections, **added})
    daemon, stream = daemon_of(before, lambda: LoadedSettings(unusable, {}, ()))
    async with serving(daemon):
        with pytest.raises(SettingsInvalid, match="nowhere"):
            await daemon.operators.reload()
        assert [status.name for status in daemon.status.statuses()] == ["default"]
    assert "reload_failed" in events(stream)


async def test_reload_that_would_open_an_address_changes_nothing(tmp_path: Path) -> None:
    """The address stays until a restart, so its callers must, too."""
    local = settings(tmp_path, "memory:")
    reached = replace(
        local,
        ingest=replace(local.ingest, listen=("0.0.0.0:0",)),
        callers={"billing": CallerSettings(name="billing", token_sha256=("a" * 64,))},
    )
    daemon, stream = daemon_of(reached, lambda: LoadedSettings(local, {}, ()))
    async with serving(daemon):
        with pytest.raises(SettingsInvalid, match=r"ingest\.listen \(needs a restart\): .* keep a caller until then"):
            await daemon.operators.reload()
    assert "reload_failed" in events(stream)


async def test_stopping_daemon_does_not_reload(tmp_path: Path) -> None:
    daemon, _ = daemon_of(settings(tmp_path, "memory:"))
    async with serving(daemon):
        daemon.stop()
        with pytest.raises(RetryLater, match="the daemon is stopping"):
            await daemon.operators.reload()
