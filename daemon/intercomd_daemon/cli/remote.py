"""Channels to a running daemon. A failed call becomes one line that names the fix."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias

import grpc

from intercomd.proxies import proxy_options
from intercomd.retry import retry_after_seconds
from intercomd.v1.ingest_pb2 import PreviewRequest
from intercomd.v1.ingest_pb2_grpc import IngestServiceStub
from intercomd.v1.operations_pb2_grpc import OperationsServiceStub
from intercomd_daemon.cli.addresses import AddressUnknown, Listener, address_of
from intercomd_daemon.cli.exits import CommandFailed, ConfigurationInvalid

CALL_SECONDS = 30.0
"""Deadline of one call. Reading a full journal takes a few seconds."""
# By default gRPC's pause between attempts to connect grows to two minutes.
_CHANNEL_OPTIONS = (("grpc.max_reconnect_backoff_ms", 1000),)
PREVIEW_BYTES_MAX = 64 * 1024 * 1024
"""Largest Preview response: the calls for one envelope can take 1 MiB, and a request holds up to 50."""

if TYPE_CHECKING:
    from intercomd.v1.ingest_pb2_grpc import IngestServiceAsyncStub
    from intercomd.v1.operations_pb2_grpc import OperationsServiceAsyncStub

    Ingest: TypeAlias = IngestServiceAsyncStub
    Operations: TypeAlias = OperationsServiceAsyncStub
else:
    # At run time one class serves both kinds of channel.
    Ingest = IngestServiceStub
    Operations = OperationsServiceStub


def resolve_address(address: str | None, listener: Listener, config_path: str | None) -> str:
    """Returns the address given on the command line, or else the one from the settings.

    Raises:
        ConfigurationInvalid: the settings name no address that can be called.
    """
    try:
        return address or address_of(listener, config_path, os.environ)
    except AddressUnknown as error:
        raise ConfigurationInvalid(str(error)) from None


def open_channel(address: str, *options: tuple[str, int]) -> grpc.aio.Channel:
    """Opens a channel to a daemon. A daemon on this machine is never called through a proxy."""
    return grpc.aio.insecure_channel(address, (*_CHANNEL_OPTIONS, *proxy_options(address), *options))


@asynccontextmanager
async def operations(address: str) -> AsyncIterator[Operations]:
    """Connects to the OperationsService at an address.

    Raises:
        CommandFailed: a call in the context failed.
    """
    async with open_channel(address) as channel:
        try:
            yield OperationsServiceStub(channel)
        except grpc.aio.AioRpcError as error:
            raise CommandFailed(explain_failure(error, address, "operations")) from None


@asynccontextmanager
async def ingest(address: str) -> AsyncIterator[Ingest]:
    """Connects to the IngestService at an address, once an intercomd has answered there.

    Raises:
        CommandFailed: no intercomd answers, or a call in the context failed.
    """
    async with open_channel(address, ("grpc.max_receive_message_length", PREVIEW_BYTES_MAX)) as channel:
        stub: Ingest = IngestServiceStub(channel)
        try:
            await _expect_intercomd(stub)
            yield stub
        except grpc.aio.AioRpcError as error:
            raise CommandFailed(explain_failure(error, address, "target")) from None


async def _expect_intercomd(stub: Ingest) -> None:
    """Calls Preview without an envelope, which an intercomd refuses as INVALID_ARGUMENT and any other server does not.

    Raises:
        grpc.aio.AioRpcError: nothing answers, or something other than intercomd.
    """
    try:
        await stub.Preview(PreviewRequest(), timeout=CALL_SECONDS)
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.INVALID_ARGUMENT:
            raise


def explain_failure(error: grpc.aio.AioRpcError, address: str, option: str) -> str:
    """Returns what a failed call means and how to fix it. `option` sets the address on the command line."""
    code, details = error.code(), error.details() or ""
    from_daemon = retry_after_seconds(error.trailing_metadata()) is not None
    if code is grpc.StatusCode.UNAVAILABLE and not from_daemon:
        return (
            f"nothing answers at {address}: start the daemon with `intercomd run`, "
            f"or give the address where it listens with --{option} ADDR"
        )
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return (
            f"{address} is not intercomd's {option} address, or its daemon is older than this command: "
            f"give the address with --{option} ADDR, or upgrade the daemon"
        )
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return f"the daemon at {address} did not answer in time: check its log and the load of its machine"
    return f"the daemon at {address} refused the call: {details or code.name}"
