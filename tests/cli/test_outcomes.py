"""Outcomes are followed over restarts of the daemon without a gap."""

import asyncio
from contextlib import aclosing
from pathlib import Path

import grpc
import pytest
from daemons import WAIT_SECONDS, Daemon
from sending import envelope

from intercomd.v1 import operations_pb2 as messages
from intercomd.v1.operations_pb2_grpc import OperationsServiceStub
from intercomd_daemon.cli.outcomes import follow, newest_sequence
from intercomd_daemon.cli.remote import operations
from intercomd_daemon.sandbox import Sandbox

ALL = messages.OutcomeFilter()


async def test_a_restart_leaves_no_gap_and_is_told(tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        daemon = await Daemon(tmp_path, sandbox.base_url).start()
        fixed = {"operations": {"grpc_listen": daemon.operations_address}}
        told: list[str] = []
        async with operations(daemon.operations_address) as stub:
            assert await newest_sequence(stub) == 0
            following = follow(stub, ALL, 0, WAIT_SECONDS, told.append)
            async with aclosing(following), asyncio.timeout(WAIT_SECONDS):
                await daemon.publish(envelope("1", "before", envelope_id="before"))
                first = await anext(following)
                await daemon.kill()
                again = await Daemon(tmp_path, sandbox.base_url, fixed).start()
                await again.publish(envelope("1", "after", envelope_id="after"))
                second = await anext(following)
            assert await newest_sequence(stub) == 2
        await again.close()
    assert [each.outcome.envelope_id for each in (first, second)] == ["before", "after"]
    assert told == ["the daemon has gone away; waiting for it"]


async def test_patience_has_an_end(tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        daemon = await Daemon(tmp_path, sandbox.base_url).start()
        address = daemon.operations_address
        await daemon.close()
    async with grpc.aio.insecure_channel(address) as channel:
        following = follow(OperationsServiceStub(channel), ALL, 0, 0.0, [].append)
        with pytest.raises(grpc.aio.AioRpcError):
            await anext(following)
