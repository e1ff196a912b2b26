"""The limit of a refused call: a grpc.aio server that refuses every call at once, without looking at it."""

import asyncio
from typing import Any

import grpc

_MESSAGE = "the token does not belong to any configured caller"
_TRAILERS = (("grpc-status-details-bin", bytes(128)),)
Context = Any


async def _refuse(_requests: object, context: Context) -> None:
    context.set_code(grpc.StatusCode.UNAUTHENTICATED)
    context.set_details(_MESSAGE)
    context.set_trailing_metadata(_TRAILERS)


class Refusing(grpc.GenericRpcHandler):
    """Refuses every method with one handler, which reads no message."""

    def service(self, _details: grpc.HandlerCallDetails) -> Any:  # noqa: ANN401 - an RpcMethodHandler
        """Returns the handler."""
        return _HANDLER


_HANDLER = grpc.stream_stream_rpc_method_handler(_refuse)


async def main() -> None:
    """Serves until it is killed."""
    server = grpc.aio.server(handlers=(Refusing(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)  # noqa: T201 - to the parent
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main())
