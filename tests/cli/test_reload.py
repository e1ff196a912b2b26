"""Tests `intercomd reload`."""

import json

import pytest

from daemons.commands import invoke
from daemons.process import Daemon, write_settings
from intercomd.v1 import operations_pb2 as messages
from intercomd_daemon.cli.reload import lines_of
from intercomd_daemon.sandbox import Sandbox


@pytest.mark.asyncio(loop_scope="module")
async def test_reload_prints_what_changed_and_what_needs_a_restart(daemon: Daemon, sandbox: Sandbox) -> None:
    write_settings(
        daemon.folder, sandbox.base_url, {"log": {"level": "debug", "format": "console"}, "stopping": {"linger": "0s"}}
    )
    result = await invoke("reload", "--operations", daemon.operations_address)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "changed: log.level",
        "changed: stopping.linger",
        "needs a restart: log.format",
    ]
    write_settings(daemon.folder, sandbox.base_url, {})
    result = await invoke("reload", "--operations", daemon.operations_address, "--json")
    assert json.loads(result.stdout)["changed"] == ["log.level", "stopping.linger"]
    result = await invoke("reload", "--operations", daemon.operations_address)
    assert result.stdout == "the settings are the same\n"


@pytest.mark.asyncio(loop_scope="module")
async def test_reload_of_invalid_settings_prints_every_error_and_fails(daemon: Daemon, sandbox: Sandbox) -> None:
    write_settings(daemon.folder, sandbox.base_url, {"log": {"level": "loud"}, "ingest": {"envelopes_max": -1}})
    result = await invoke("reload", "--operations", daemon.operations_address)
    assert result.exit_code == 1
    assert result.stdout == "nothing has changed\n"
    assert [line.split(" ")[0] for line in result.stderr.splitlines()] == ["ingest.envelopes_max", "log.level"]
    write_settings(daemon.folder, sandbox.base_url, {})


def test_lines_of_names_nothing_where_nothing_changed() -> None:
    assert lines_of(messages.ReloadResponse()) == ["the settings are the same"]
    assert lines_of(messages.ReloadResponse(errors=["wrong"])) == ["nothing has changed"]
