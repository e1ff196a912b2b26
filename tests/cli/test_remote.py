"""Tests connecting to a daemon; a failed call becomes one line that names the fix."""

import pytest

from daemons.commands import invoke
from daemons.process import Daemon
from forwarding.garbled import GarbledServer
from intercomd.v1.ingest_pb2 import PreviewRequest
from intercomd.v1.operations_pb2 import WatchOutcomesRequest
from intercomd.v1.operations_pb2_grpc import OperationsServiceStub
from intercomd_daemon.cli.exits import CommandFailed
from intercomd_daemon.cli.remote import ingest, open_channel
from ports import free_port
from senders.client import envelope

pytestmark = pytest.mark.asyncio(loop_scope="module")

COMMANDS = (("status",), ("watch",), ("explain", "42"), ("dead-letters", "list"), ("dead-letters", "replay", "--yes"))


def free_address() -> str:
    return f"127.0.0.1:{free_port()}"


@pytest.mark.parametrize("words", COMMANDS)
async def test_command_without_a_daemon_prints_one_line_with_the_fix(words: tuple[str, ...]) -> None:
    result = await invoke(*words, "--operations", free_address())
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (1, "", 1)
    assert "`intercomd run`" in result.stderr


@pytest.mark.parametrize("words", [*COMMANDS, ("pause", "default"), ("give-up", "a"), ("reload",), ("drain",)])
async def test_command_without_a_readable_response_prints_one_line(words: tuple[str, ...]) -> None:
    async with GarbledServer() as server:
        result = await invoke(*words, "--operations", server.address)
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (1, "", 1)
    assert f"the response of {server.address} cannot be decoded" in result.stderr


async def test_sending_to_a_server_without_a_readable_response_fails() -> None:
    async with GarbledServer() as server:
        with pytest.raises(CommandFailed, match="cannot be decoded"):
            async with ingest(server.address):
                pass


async def test_stream_without_a_readable_response_fails() -> None:
    async with GarbledServer() as server, open_channel(server.address) as channel:
        call = OperationsServiceStub(channel).WatchOutcomes(WatchOutcomesRequest())
        with pytest.raises(CommandFailed, match=f"the response of {server.address} cannot be decoded"):
            async for _response in call:
                pass


async def test_operations_rejects_the_ingest_address(daemon: Daemon) -> None:
    result = await invoke("status", "--operations", daemon.ingest_address)
    assert (result.exit_code, "not intercomd's operations address" in result.stderr) == (1, True)


async def test_operations_passes_on_the_details_of_a_refused_call(daemon: Daemon) -> None:
    result = await invoke("watch", "--operations", daemon.operations_address, "--after", 1_000_000)
    assert (result.exit_code, "not a sequence of this journal" in result.stderr) == (1, True)


async def test_ingest_answers_a_preview(daemon: Daemon) -> None:
    async with ingest(daemon.ingest_address) as stub:
        response = await stub.Preview(PreviewRequest(envelopes=[envelope("1", "opened")]))
    assert [request.path for request in response.previews[0].requests] == ["/events"]


async def test_ingest_rejects_the_operations_address(daemon: Daemon) -> None:
    with pytest.raises(CommandFailed, match="is not intercomd's target address"):
        async with ingest(daemon.operations_address):
            pass


async def test_ingest_without_a_daemon_names_the_option() -> None:
    with pytest.raises(CommandFailed, match="--target ADDR"):
        async with ingest("unix:/nowhere"):
            pass
