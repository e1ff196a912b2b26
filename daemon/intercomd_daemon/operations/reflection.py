"""gRPC reflection, for people with tools such as grpcurl.

Its package, and with it the descriptors of descriptors, takes 0.8 MiB. It is loaded at the first call.
"""

from collections.abc import AsyncIterator, Sequence
from functools import cache
from typing import Any

import grpc
from grpc.aio import Server

from intercomd_daemon.rpc.authentication import MethodGate

V1, V1ALPHA = "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"


def add_reflection(server: Server | MethodGate, services: Sequence[str]) -> None:
    """Adds reflection to a server that is not started yet. `services` are the full names of its other services."""

    @cache
    def load() -> Any:  # noqa: ANN401 - no stub has its base class
        from grpc_reflection.v1alpha._async import ReflectionServicer  # noqa: PLC0415

        return ReflectionServicer((*services, V1ALPHA))

    async def respond(requests: AsyncIterator[Any], context: object) -> AsyncIterator[Any]:
        async for response in load().ServerReflectionInfo(requests, context):
            yield response

    method = grpc.stream_stream_rpc_method_handler(respond, _decode, _encode)
    # grpc.reflection.v1 has the messages of v1alpha under another name. The package brings the latter alone.
    for name in (V1, V1ALPHA):
        handler = grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": method})
        server.add_generic_rpc_handlers((handler,))


def _decode(data: bytes) -> Any:  # noqa: ANN401 - a message of the package
    from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest  # noqa: PLC0415

    return ServerReflectionRequest.FromString(data)


def _encode(response: Any) -> bytes:  # noqa: ANN401 - as above
    return bytes(response.SerializeToString())
