"""Tests `intercomd pause`, `intercomd resume` and `intercomd retry`."""

import json

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from daemons.commands import invoke
from daemons.process import Daemon
from intercomd.v1 import operations_pb2 as messages
from intercomd_daemon.cli.connections import lines_of
from intercomd_daemon.sandbox import Sandbox
from senders.client import envelope

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def run(daemon: Daemon, *words: object) -> tuple[int, str, str]:
    result = await invoke(*words, "--operations", daemon.operations_address)
    return result.exit_code, result.stdout, result.stderr


async def test_paused_connection_keeps_envelopes_until_it_is_resumed(daemon: Daemon) -> None:
    await daemon.heard("connection", state="delivering")
    assert await run(daemon, "pause", "default") == (
        0,
        "default is paused; 0 envelopes wait; `intercomd resume default` continues\n",
        "",
    )
    await daemon.publish(envelope("paused", "later", envelope_id="p-1"))
    code, output, _ = await run(daemon, "pause", "default")
    assert (code, "1 envelope waits" in output) == (0, True)
    code, output, _ = await run(daemon, "resume", "default")
    assert (code, output.startswith("default is delivering")) == (0, True)
    await daemon.ended(["p-1"])


@pytest.mark.parametrize("command", ["pause", "resume", "retry"])
async def test_json_is_the_status_of_the_connection(daemon: Daemon, command: str) -> None:
    code, output, _ = await run(daemon, command, "default", "--json")
    (line,) = output.splitlines()
    assert (code, json.loads(line)["name"]) == (0, "default")
    await run(daemon, "resume", "default")


@pytest.mark.parametrize("command", ["pause", "resume", "retry"])
async def test_unknown_connection_fails(daemon: Daemon, command: str) -> None:
    code, output, errors = await run(daemon, command, "nope")
    assert (code, output, 'unknown connection "nope"' in errors) == (1, "", True)


@pytest.mark.parametrize("command", ["pause", "resume", "retry"])
async def test_blank_connection_is_a_usage_error(daemon: Daemon, command: str) -> None:
    assert (await run(daemon, command, ""))[0] == 2


async def test_retry_probes_a_suspended_connection(daemon: Daemon, sandbox: Sandbox) -> None:
    await daemon.heard("connection", state="delivering")
    sandbox.fault("* 401")
    await daemon.publish(envelope("refused", "later", envelope_id="r-1"))
    await daemon.heard("connection", state="suspended")
    sandbox.faults.clear()
    code, output, errors = await run(daemon, "retry", "default")
    assert (code, errors) == (0, "")
    assert output.startswith("default is ")
    await daemon.ended(["r-1"])


async def test_lines_of_a_suspended_connection_name_the_reason() -> None:
    status = messages.ConnectionStatus(
        name="eu",
        state=messages.CONNECTION_STATE_SUSPENDED,
        suspended_reason="UNAUTHORIZED",
        next_probe_time=Timestamp(seconds=0),
        waiting_bulk=2,
    )
    lines = lines_of(status)
    assert lines[0] == "eu is suspended; 2 envelopes wait"
    assert "UNAUTHORIZED" in lines[1]
    assert "1970-01-01T00:00:00Z" in lines[2]
