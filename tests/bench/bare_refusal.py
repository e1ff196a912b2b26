"""The limit of a refused call: a grpc.aio server that refuses every call at once, without looking at it.

With the argument `unary` it first receives the request, as a quota that counts its envelopes must.
"""

import asyncio
import sys
from typing import Any

import grpc

_MESSAGE = "the token does not belong to any configured caller"
Context = Any


async def _refuse(_requests: object, context: Context) -> None:
    await context.abort(grpc.StatusCode.UNAUTHENTICATED, _MESSAGE, (("grpc-status-details-bin", bytes(128)),))


class Refusing(grpc.GenericRpcHandler):
    """Refuses every method with one handler, which reads no message."""

    def service(self, _details: grpc.HandlerCallDetails) -> Any:  # noqa: ANN401 - an RpcMethodHandler
        """Returns the handler."""
        return _HANDLER


_HANDLER = (
    grpc.unary_unary_rpc_method_handler(_refuse)
    if sys.argv[1:] == ["unary"]
    else grpc.stream_stream_rpc_method_handler(_refuse)
)


async def main() -> None:
    """Serves until it is killed."""
    server = grpc.aio.server(handlers=(Refusing(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)  # noqa: T201 - to the parent
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main())
