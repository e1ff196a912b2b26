"""grpc.health.v1, asked over real channels."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from clock.virtual import VirtualLoop
from intercomd_daemon.operations.health import LIVENESS, LIVENESS_SECONDS, READINESS, Health, add_health_and_reflection
from intercomd_daemon.operations.service import SERVICE

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SOON_SECONDS = 60.0


class Served(NamedTuple):
    server: grpc.aio.Server
    health: Health
    channel: grpc.aio.Channel
    stub: health_pb2_grpc.HealthStub


@asynccontextmanager
async def _served() -> AsyncIterator[Served]:
    server = grpc.aio.server()
    health = add_health_and_reflection(server, [SERVICE])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Served(server, health, channel, health_pb2_grpc.HealthStub(channel))
    await server.stop(None)


@pytest.mark.parametrize("service", ["", SERVICE, READINESS])
async def test_health_is_serving_only_while_switched_on(service: str) -> None:
    asked = health_pb2.HealthCheckRequest(service=service)
    async with _served() as served:
        assert (await served.stub.Check(asked)).status == NOT_SERVING
        served.health.set_serving(serving=True)
        assert (await served.stub.Check(asked)).status == SERVING
        served.health.set_serving(serving=False)
        assert (await served.stub.Check(asked)).status == NOT_SERVING


async def test_liveness_follows_progress_alone() -> None:
    """Also while the daemon starts and stops, when it does not serve."""
    asked = health_pb2.HealthCheckRequest(service=LIVENESS)
    alive = [True]
    async with _served() as served:
        served.health.alive = lambda: alive[0]
        assert (await served.stub.Check(asked)).status == SERVING
        served.health.set_serving(serving=True)
        watch = served.stub.Watch(asked)
        assert (await watch.read()).status == SERVING
        alive[0] = False
        assert (await served.stub.Check(asked)).status == NOT_SERVING
        served.health.set_serving(serving=False)
        assert (await watch.read()).status == NOT_SERVING


@pytest.mark.fills("operations.health.LIVENESS_SECONDS")
def test_liveness_watcher_sees_a_part_that_stops_by_itself() -> None:
    """In a loop whose clock leaps: nothing wakes the watch but its own interval."""
    alive: list[bool] = [True]
    seen: list[tuple[int, float]] = []
    following: list[asyncio.Task[None]] = []

    class Context:
        async def write(self, answer: health_pb2.HealthCheckResponse) -> None:
            seen.append((answer.status, asyncio.get_running_loop().time()))
            alive[0] = False
            if len(seen) == 2:
                following[0].cancel()

    async def watch() -> None:
        health = Health([SERVICE])
        health.alive = lambda: alive[0]
        asked = health_pb2.HealthCheckRequest(service=LIVENESS)
        following.append(asyncio.create_task(health.Watch(asked, Context())))
        await asyncio.gather(*following, return_exceptions=True)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(watch())
    assert [status for status, _ in seen] == [SERVING, NOT_SERVING]
    assert seen[1][1] - seen[0][1] <= LIVENESS_SECONDS


async def test_service_of_another_listener_is_not_found() -> None:
    async with _served() as served:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await served.stub.Check(health_pb2.HealthCheckRequest(service="intercomd.v1.IngestService"))
        assert refused.value.code() is grpc.StatusCode.NOT_FOUND
        details = refused.value.details() or ""
        assert details.startswith('unknown service "intercomd.v1.IngestService": this listener has "", ')


async def test_health_list_names_every_service_of_the_listener() -> None:
    async with _served() as served:
        served.health.set_serving(serving=True)
        listed = await served.stub.List(health_pb2.HealthListRequest())
    found = {name: answer.status for name, answer in listed.statuses.items()}
    assert found == dict.fromkeys(("", SERVICE, LIVENESS, READINESS), SERVING)


async def test_health_watcher_sees_each_change_and_the_end() -> None:
    async with _served() as served:
        watch = served.stub.Watch(health_pb2.HealthCheckRequest(service=SERVICE))
        assert (await watch.read()).status == NOT_SERVING
        served.health.set_serving(serving=True)
        assert (await watch.read()).status == SERVING
        served.health.set_serving(serving=False)
        assert (await watch.read()).status == NOT_SERVING
        served.health.close()
        assert await watch.code() is grpc.StatusCode.UNAVAILABLE


async def test_health_watcher_of_an_unknown_service_waits() -> None:
    async with _served() as served:
        watch = served.stub.Watch(health_pb2.HealthCheckRequest(service="intercomd.v1.IngestService"))
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


async def test_close_notifies_health_watchers_before_they_end() -> None:
    async with _served() as served:
        served.health.set_serving(serving=True)
        watch = served.stub.Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == SERVING
        served.health.close()
        assert (await watch.read()).status == NOT_SERVING
        assert await watch.code() is grpc.StatusCode.UNAVAILABLE


async def test_closed_health_service_stays_not_serving() -> None:
    """A new watch ends with that."""
    async with _served() as served:
        served.health.set_serving(serving=True)
        served.health.close()
        served.health.set_serving(serving=True)
        assert (await served.stub.Check(health_pb2.HealthCheckRequest())).status == NOT_SERVING
        watch = served.stub.Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == NOT_SERVING
        assert await watch.code() is grpc.StatusCode.UNAVAILABLE


async def test_open_health_watch_does_not_delay_a_stop() -> None:
    async with _served() as served:
        watch = served.stub.Watch(health_pb2.HealthCheckRequest())
        await watch.read()
        served.health.close()
        async with asyncio.timeout(SOON_SECONDS):
            await served.server.stop(grace=10 * SOON_SECONDS)
