"""A gRPC server whose responses are bytes that no message begins with."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Self

import grpc

GARBLED = b"\xff\xff\xff"


class GarbledServer:
    """`async with GarbledServer() as server:` answers every unary method of every service."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self._called = asyncio.Condition()
        self.address = ""
        self._server = grpc.aio.server()
        self._server.add_generic_rpc_handlers((_Handlers(self._on_call),))

    async def __aenter__(self) -> Self:
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        await self._server.start()
        return self

    async def until_called(self, count: int) -> None:
        """Waits for this number of calls."""
        async with self._called:
            await self._called.wait_for(lambda: len(self.calls) >= count)

    async def _on_call(self, method: str) -> None:
        async with self._called:
            self.calls.append(method)
            self._called.notify_all()

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop(None)


class _Handlers(grpc.GenericRpcHandler):
    def __init__(self, on_call: Callable[[str], Awaitable[None]]) -> None:
        self._on_call = on_call

    def service(self, details: grpc.HandlerCallDetails) -> Any:  # noqa: ANN401 - gRPC's handler
        async def respond(_request: bytes, _context: object) -> bytes:
            await self._on_call(details.method.rpartition("/")[2])
            return GARBLED

        return grpc.unary_unary_rpc_method_handler(respond)
