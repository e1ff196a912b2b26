"""Tests `intercomd drain`."""

import asyncio
import json
from pathlib import Path

import grpc
import pytest

from daemons.commands import invoke
from daemons.process import Daemon
from intercomd.v1.ingest_pb2 import Disposition, PublishStreamRequest
from intercomd.v1.operations_pb2 import DaemonState, GetStatusRequest
from intercomd_daemon.sandbox import Sandbox
from senders.client import Refused, envelope


@pytest.mark.asyncio(loop_scope="module")
async def test_drain_refuses_new_calls_and_delivers_what_was_accepted(tmp_path: Path, sandbox: Sandbox) -> None:
    """It may be repeated, with and without --wait, and a stop afterwards does not linger again."""
    daemon = await Daemon(tmp_path, sandbox.base_url, {"stopping": {"linger": "0s"}}).start()
    sandbox.workspace.add_contact("u1")
    stream = daemon.ingest.PublishStream()
    await stream.write(PublishStreamRequest(sequence=1, envelopes=[envelope("u1", "Held", envelope_id="held")]))
    assert (await stream.read()).results[0].disposition == Disposition.DISPOSITION_ACCEPTED
    results = [await invoke("drain", *more, "--operations", daemon.operations_address) for more in ((), ("--wait",))]
    assert [(result.exit_code, result.stdout) for result in results] == [
        (0, "draining: new calls are refused\n"),
        (0, "drained: no call is open\n"),
    ]
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await stream.read()
    Refused(ended.value).must_be_not_now()
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await daemon.publish(envelope("u1", "Late", envelope_id="late"))
    Refused(ended.value).must_be_not_now()
    await daemon.ended(["held"])
    assert (await daemon.operations.GetStatus(GetStatusRequest())).state == DaemonState.DAEMON_STATE_DRAINING
    assert await daemon.stop() == 0
    assert len(daemon.logged("draining")) == 1
    await daemon.close()


@pytest.mark.asyncio(loop_scope="module")
async def test_drain_with_wait_returns_when_the_open_calls_have_ended(tmp_path: Path, sandbox: Sandbox) -> None:
    """A stream that its sender has half closed ends with its answers; until then the command waits."""
    daemon = await Daemon(tmp_path, sandbox.base_url, {"stopping": {"linger": "0s"}}).start()
    results = await asyncio.gather(
        *(invoke("drain", "--wait", "--operations", daemon.operations_address) for _ in range(3))
    )
    assert [result.exit_code for result in results] == [0, 0, 0]
    await daemon.close()


@pytest.mark.asyncio(loop_scope="module")
async def test_drain_prints_json(tmp_path: Path, sandbox: Sandbox) -> None:
    daemon = await Daemon(tmp_path, sandbox.base_url, {"stopping": {"linger": "0s"}}).start()
    printed = [
        json.loads((await invoke("drain", *more, "--json", "--operations", daemon.operations_address)).stdout)
        for more in ((), ("--wait",))
    ]
    assert printed == [{"draining": True, "drained": False}, {"draining": True, "drained": True}]
    await daemon.close()
