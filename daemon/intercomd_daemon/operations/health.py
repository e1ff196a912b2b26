"""grpc.health.v1 and reflection for a listener: what probes and people with grpcurl ask.

It says what it is told: NOT_SERVING until switched on, and again when switched off. When that is, it does not know.
"""

import asyncio
from collections.abc import Sequence

from grpc import StatusCode
from grpc.aio import Server, ServicerContext
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

_Context = ServicerContext[health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse]


class EndingHealthServicer(health.aio.HealthServicer):
    """The library's servicer, with an end to its watches: they last for ever, and a server's stop waits for them."""

    def __init__(self) -> None:
        super().__init__()
        self._scopes: set[asyncio.Timeout] = set()
        self._ended = False

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: _Context) -> None:  # noqa: N802 - gRPC's name
        """Tells each change, until the watches are ended."""
        try:
            async with asyncio.timeout(0 if self._ended else None) as scope:
                self._scopes.add(scope)
                try:
                    await super().Watch(request, context)
                finally:
                    self._scopes.discard(scope)
        except TimeoutError:
            await context.abort(StatusCode.UNAVAILABLE, "the daemon is stopping")

    def end_watches(self) -> None:
        """Ends the open watches and each later one with UNAVAILABLE, on which watchers ask again elsewhere."""
        self._ended = True
        now = asyncio.get_running_loop().time()
        for scope in self._scopes:
            scope.reschedule(now)


class Health:
    """The health of one listener: of the whole, under the empty name, and of each of its services."""

    def __init__(self, servicer: EndingHealthServicer, services: Sequence[str]) -> None:
        """`services` are full names; the empty one is added."""
        self._servicer = servicer
        self._names = ("", *services)

    async def switch(self, serving: bool) -> None:
        """Says SERVING or NOT_SERVING from now on, also to those who watch."""
        answers = health_pb2.HealthCheckResponse
        for name in self._names:
            await self._servicer.set(name, answers.SERVING if serving else answers.NOT_SERVING)

    async def close(self) -> None:
        """Says NOT_SERVING for good, and ends the watches; to be called before the server is stopped."""
        await self._servicer.enter_graceful_shutdown()
        self._servicer.end_watches()


async def add_health_and_reflection(server: Server, services: Sequence[str]) -> Health:
    """Adds both to a server that is not started yet; the services (full names) are NOT_SERVING until switched on."""
    servicer = EndingHealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    reflection.enable_server_reflection((*services, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
    added = Health(servicer, services)
    await added.switch(serving=False)
    return added
