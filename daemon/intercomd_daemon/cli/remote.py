"""Calls to a daemon: a channel to its operations address, and every failure as one line with the remedy.

What is asked and what the answers mean, it does not know.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias

import grpc

from intercomd.proxies import proxy_options
from intercomd.retry import retry_after_seconds
from intercomd.v1.operations_pb2_grpc import OperationsServiceStub
from intercomd_daemon.cli.addresses import AddressUnknown, Listener, address_of
from intercomd_daemon.cli.failures import Failed, Misconfigured

CALL_SECONDS = 30.0
"""For one call: a look through a full journal takes a few."""
# gRPC's own pause between attempts grows to two minutes.
_CHANNEL_OPTIONS = (("grpc.max_reconnect_backoff_ms", 1000),)

if TYPE_CHECKING:
    from intercomd.v1.operations_pb2_grpc import OperationsServiceAsyncStub

    Operations: TypeAlias = OperationsServiceAsyncStub
else:
    Operations = OperationsServiceStub  # one class at run time, whatever the channel


def resolved(address: str | None, listener: Listener, config_path: str | None) -> str:
    """The address that was named, else the one of the settings.

    Raises:
        Misconfigured: they don't tell.
    """
    try:
        return address or address_of(listener, config_path, os.environ)
    except AddressUnknown as error:
        raise Misconfigured(str(error)) from None


def open_channel(address: str, *options: tuple[str, int]) -> grpc.aio.Channel:
    """A channel to a daemon; to one on this machine never through a proxy."""
    return grpc.aio.insecure_channel(address, (*_CHANNEL_OPTIONS, *proxy_options(address), *options))


@asynccontextmanager
async def operations(address: str) -> AsyncIterator[Operations]:
    """The operations service at an address. Failures of calls leave as `Failed`."""
    async with open_channel(address) as channel:
        try:
            yield OperationsServiceStub(channel)
        except grpc.aio.AioRpcError as error:
            raise Failed(failure_of(error, address, "operations")) from None


def failure_of(error: grpc.aio.AioRpcError, address: str, option: str) -> str:
    """What a failed call means to a person, and the remedy; `option` names the address on the command line."""
    code, details = error.code(), error.details() or ""
    ours = retry_after_seconds(error.trailing_metadata()) is not None
    if code is grpc.StatusCode.UNAVAILABLE and not ours:
        return (
            f"nothing answers at {address}: start the daemon with `intercomd run`, "
            f"or name the address where it listens with --{option} ADDR"
        )
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return f"what answers at {address} is not intercomd's {option} address: name that with --{option} ADDR"
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return f"the daemon at {address} gave no answer in time: look at its log and its machine"
    return f"the daemon at {address} refused: {details or code.name}"
