"""grpc.health.v1 and reflection for a listener.

A listener is NOT_SERVING until the daemon switches it on, and again from the first moment of a stop. The service name
`liveness` says something else: SERVING while every part of the daemon makes progress.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Literal

from grpc import StatusCode
from grpc.aio import Server, ServicerContext
from grpc_health.v1 import health_pb2, health_pb2_grpc

from intercomd_daemon.errors import Unauthenticated, quoted
from intercomd_daemon.operations.reflection import add_reflection
from intercomd_daemon.rpc.authentication import Guard, MethodGate, Revocation
from intercomd_daemon.rpc.refused_call import end_call, refuse

SERVICE = "grpc.health.v1.Health"
_Context = ServicerContext[health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse]
_Answer = health_pb2.HealthCheckResponse
LIVENESS, READINESS = "liveness", "readiness"
LIVENESS_SECONDS = 10.0
"""Interval at which a watch of `liveness` looks whether it has changed; other watches are woken."""


class Health(health_pb2_grpc.HealthServicer):
    """The health of one listener, under the empty name, and of each of its services.

    Unlike the servicer of grpc_health it can be closed, which ends the watches: a stopping server waits for open calls,
    and a watch never ends by itself.
    """

    def __init__(self, services: Sequence[str], guard: Guard | None = None) -> None:
        """`services` are full names; the empty name, `liveness` and `readiness` are added.

        `guard` knows the callers of the listener.
        """
        self._guard = guard or Guard()
        self._names = frozenset(("", LIVENESS, READINESS, *services))
        self.alive: Callable[[], bool] = lambda: True
        """Returns whether every part of the daemon makes progress."""
        self._status: Literal[1, 2] = _Answer.NOT_SERVING
        self._closed = False
        self._wakes: set[asyncio.Event] = set()

    def set_serving(self, *, serving: bool) -> None:
        """Sets SERVING or NOT_SERVING and informs the watchers; has no effect once closed."""
        if not self._closed:
            self._status = _Answer.SERVING if serving else _Answer.NOT_SERVING
            self._wake()

    def close(self) -> None:
        """Sets NOT_SERVING for good and ends the watches; call it before the server is stopped."""
        self.set_serving(serving=False)
        self._closed = True
        self._wake()

    async def Check(self, request: health_pb2.HealthCheckRequest, context: _Context) -> _Answer:  # noqa: N802 - gRPC's name
        """Returns the status of a service; NOT_FOUND if this listener does not have it."""
        if request.service not in self._names:
            known = ", ".join(sorted(quoted(name) for name in self._names))
            message = f"unknown service {quoted(request.service)}: this listener has {known}"
            await end_call(context, StatusCode.NOT_FOUND, message)
            return _Answer()
        return _Answer(status=self._status_of(request.service))

    async def List(self, _request: object, _context: object) -> Any:  # noqa: ANN401, N802 - gRPC's name; no stub has it
        """Returns the status of every service of this listener."""
        statuses = {name: _Answer(status=self._status_of(name)) for name in self._names}
        return health_pb2.HealthListResponse(statuses=statuses)  # type: ignore[attr-defined]  # newer than the stubs

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: _Context) -> None:  # noqa: N802 - gRPC's name
        """Sends the status and each change until closed, then ends, so that the client connects elsewhere."""
        wake = asyncio.Event()
        revocation = Revocation(wake)
        self._wakes.add(wake)
        try:
            with self._guard.revocable(revocation):
                await self._send_changes(request.service, context, wake, revocation)
        except Unauthenticated as error:
            await refuse(context, error)
        finally:
            self._wakes.discard(wake)

    async def _send_changes(self, service: str, context: _Context, wake: asyncio.Event, revocation: Revocation) -> None:
        sent = None
        while True:
            wake.clear()
            revocation.check()
            closed = self._closed
            # "If the requested service is unknown …, the server will send a message setting the serving status to
            # SERVICE_UNKNOWN but will *not* terminate the call." (health.proto)
            status = self._status_of(service) if service in self._names else _Answer.SERVICE_UNKNOWN
            if status != sent:
                await context.write(_Answer(status=status))
                sent = status
            if closed:
                await end_call(context, StatusCode.UNAVAILABLE, "the daemon is stopping")
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(LIVENESS_SECONDS if service == LIVENESS else None):
                    await wake.wait()

    def _status_of(self, name: str) -> Literal[1, 2]:
        if name == LIVENESS:
            return _Answer.SERVING if self.alive() else _Answer.NOT_SERVING
        return self._status

    def _wake(self) -> None:
        for wake in self._wakes:
            wake.set()


def add_health_and_reflection(
    server: Server | MethodGate, services: Sequence[str], guard: Guard | None = None
) -> Health:
    """Adds both to a server that is not started yet. `services` are full names."""
    added = Health(services, guard)
    # The stubs ask for a server, of which generated code uses what a gate has too.
    health_pb2_grpc.add_HealthServicer_to_server(added, server)  # type: ignore[arg-type]
    add_reflection(server, (*services, SERVICE))
    return added


def add_channelz(server: Server | MethodGate) -> None:
    """Adds grpc.channelz.v1, whose package is loaded only here."""
    from grpc_channelz.v1 import channelz_pb2_grpc  # noqa: PLC0415
    from grpc_channelz.v1._async import ChannelzServicer  # noqa: PLC0415

    channelz_pb2_grpc.add_ChannelzServicer_to_server(ChannelzServicer(), server)
