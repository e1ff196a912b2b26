"""grpc.health.v1 and reflection for a listener.

NOT_SERVING until the daemon switches it on, and again after it switches it off.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Literal

from grpc import StatusCode
from grpc.aio import Server, ServicerContext
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

_Context = ServicerContext[health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse]
_Answer = health_pb2.HealthCheckResponse


class Health(health_pb2_grpc.HealthServicer):
    """The health of one listener: of the whole, under the empty name, and of each of its services.

    Unlike the library's own servicer it has an end: watches last for ever, and a server that stops waits for them.
    """

    def __init__(self, services: Sequence[str]) -> None:
        """`services` are full names; the empty one is added."""
        self._names = frozenset(("", *services))
        self._status: Literal[1, 2] = _Answer.NOT_SERVING
        self._closed = False
        self._wakes: set[asyncio.Event] = set()

    def switch(self, serving: bool) -> None:
        """Says SERVING or NOT_SERVING from now on, also to those who watch; without effect once closed."""
        if not self._closed:
            self._status = _Answer.SERVING if serving else _Answer.NOT_SERVING
            self._wake()

    def close(self) -> None:
        """Says NOT_SERVING for good, and ends the watches; to be called before the server is stopped."""
        self.switch(serving=False)
        self._closed = True
        self._wake()

    async def Check(self, request: health_pb2.HealthCheckRequest, context: _Context) -> _Answer:  # noqa: N802 - gRPC's name
        """The status of a service at this moment; NOT_FOUND if it is not of this listener."""
        if request.service not in self._names:
            await context.abort(StatusCode.NOT_FOUND, "this listener has no such service")
        return _Answer(status=self._status)

    async def List(self, _request: object, _context: object) -> Any:  # noqa: ANN401, N802 - gRPC's name; no stub has it
        """The status of every service of this listener."""
        statuses = {name: _Answer(status=self._status) for name in self._names}
        return health_pb2.HealthListResponse(statuses=statuses)  # type: ignore[attr-defined]  # newer than the stubs

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: _Context) -> None:  # noqa: N802 - gRPC's name
        """Tells the status and each change of it until closed, and then ends, so that watchers ask elsewhere."""
        known = request.service in self._names
        told = None
        wake = asyncio.Event()
        self._wakes.add(wake)
        try:
            while True:
                wake.clear()
                closed = self._closed
                # "If the requested service is unknown …, the server will send a message setting the serving status to
                # SERVICE_UNKNOWN but will *not* terminate the call." (health.proto)
                status = self._status if known else _Answer.SERVICE_UNKNOWN
                if status != told:
                    await context.write(_Answer(status=status))
                    told = status
                if closed:
                    await context.abort(StatusCode.UNAVAILABLE, "the daemon is stopping")
                await wake.wait()
        finally:
            self._wakes.discard(wake)

    def _wake(self) -> None:
        for wake in self._wakes:
            wake.set()


def add_health_and_reflection(server: Server, services: Sequence[str]) -> Health:
    """Adds both to a server that is not started yet; the services (full names) are NOT_SERVING until switched on."""
    added = Health(services)
    health_pb2_grpc.add_HealthServicer_to_server(added, server)
    reflection.enable_server_reflection((*services, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
    return added
