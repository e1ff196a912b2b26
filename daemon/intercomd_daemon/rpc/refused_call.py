"""Ends calls with an error, at little cost: calls that are refused may be many, and delay those of others.

A call that is refused before its request is read gets a streaming handler, because a unary handler would first receive
the whole request: 48 refused requests of 15 MiB would take 1 GiB.
"""

from functools import lru_cache
from types import MappingProxyType
from typing import Any

import grpc
from grpc.aio import ServicerContext

from intercomd_daemon.errors import IntercomdError, QuotaExceeded
from intercomd_daemon.rpc.grpc_status import status_of

QUOTA_HANDLERS_MAX = 256
"""Handlers for calls above a quota: one for each caller and wait; waits of three significant digits repeat."""

Context = ServicerContext[Any, Any]
"""The ServicerContext of any method."""
Handler = Any
"""An RpcMethodHandler of any method."""
Trailers = tuple[tuple[str, str | bytes], ...]
_CODES = MappingProxyType({code.value[0]: code for code in grpc.StatusCode})


def grpc_status_of(error: IntercomdError) -> tuple[grpc.StatusCode, str, Trailers]:
    """Returns the status of an error with gRPC's code: code, message and trailers."""
    code, message, trailers = status_of(error)
    return _CODES[code], message, trailers


def refusing(error: IntercomdError) -> Handler:
    """Returns a handler that ends every call with the status of the error, and reads no message."""
    return refusing_with(*grpc_status_of(error))


def refusing_with(code: grpc.StatusCode, message: str, trailers: Trailers = ()) -> Handler:
    """Returns a handler that ends every call with this status, and reads no message."""

    async def call(_requests: object, context: Context) -> None:
        # gRPC sends this status when the method returns. Its `abort` raises an exception through five coroutines.
        context.set_code(code)
        context.set_details(message)
        context.set_trailing_metadata(trailers)

    return grpc.stream_stream_rpc_method_handler(call)


@lru_cache(QUOTA_HANDLERS_MAX)
def refusing_above_quota(caller: str, quota: str, per_second: float, retry_seconds: float) -> Handler:
    """Returns the handler of a call whose caller has used up its quota; the arguments are those of QuotaExceeded."""
    return refusing(QuotaExceeded(caller, quota, per_second, retry_seconds))


async def refuse(context: Context, error: IntercomdError) -> None:
    """Ends a call with the status of the error; its method should return then."""
    await end_call(context, *grpc_status_of(error))


async def end_call(context: Context, code: grpc.StatusCode, message: str, trailers: Trailers = ()) -> None:
    """Ends a call with an error; its method should return then.

    gRPC's `abort` raises an exception that the call's state keeps, with a traceback that leads back to the state. Such
    a cycle has 41 objects, and when many calls are refused, their collection delays other calls by up to 10 ms. gRPC
    raises the exception again when the method returns, so it may end here.
    """
    try:
        await context.abort(code, message, trailers)
    except grpc.aio.AbortError as aborted:
        aborted.__traceback__ = aborted.__context__ = None
