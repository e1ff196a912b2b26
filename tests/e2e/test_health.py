"""Health, reflection, readiness, liveness and metrics, as probes, meshes and grpcurl read them."""

import aiohttp
import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from daemons.process import Daemon
from intercomd_daemon.sandbox import Sandbox
from senders.client import envelope

pytestmark = pytest.mark.asyncio(loop_scope="module")

SERVING = health_pb2.HealthCheckResponse.SERVING
INGEST = "intercomd.v1.IngestService"
OPERATIONS = "intercomd.v1.OperationsService"


async def get(daemon: Daemon, path: str, method: str = "GET") -> tuple[int, str]:
    """Status and body."""
    async with (
        aiohttp.ClientSession(f"http://{daemon.http_address}") as session,
        session.request(method, path) as answer,
    ):
        return answer.status, await answer.text()


@pytest.mark.parametrize("service", ["", INGEST])
async def test_ingest_listener_reports_serving(shared: Daemon, service: str) -> None:
    health = health_pb2_grpc.HealthStub(shared.channel)
    assert (await health.Check(health_pb2.HealthCheckRequest(service=service))).status == SERVING


@pytest.mark.parametrize("service", ["", OPERATIONS])
async def test_operations_listener_reports_serving(shared: Daemon, service: str) -> None:
    health = health_pb2_grpc.HealthStub(shared.open_channel(shared.operations_address))
    assert (await health.Check(health_pb2.HealthCheckRequest(service=service))).status == SERVING


async def test_health_of_an_unknown_service_is_not_found(shared: Daemon) -> None:
    health = health_pb2_grpc.HealthStub(shared.channel)
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await health.Check(health_pb2.HealthCheckRequest(service="intercomd.v1.Other"))
    assert ended.value.code() is grpc.StatusCode.NOT_FOUND


async def test_ingest_listener_does_not_serve_operators_methods(shared: Daemon) -> None:
    status = shared.channel.unary_unary(f"/{OPERATIONS}/GetStatus")
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await status(b"")
    assert ended.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("service", [INGEST, OPERATIONS])
async def test_reflection_describes_the_services_of_each_listener(shared: Daemon, service: str) -> None:
    address = shared.ingest_address if service == INGEST else shared.operations_address
    stub = reflection_pb2_grpc.ServerReflectionStub(shared.open_channel(address))
    requests = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol=service),
    ]
    answers = [answer async for answer in stub.ServerReflectionInfo(iter(requests))]
    listed = {listed.name for listed in answers[0].list_services_response.service}
    assert listed == {service, "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}
    assert answers[1].file_descriptor_response.file_descriptor_proto


async def test_http_listener_answers_probes_and_nothing_else(shared: Daemon) -> None:
    assert (await get(shared, "/healthz"))[0] == 200
    assert (await get(shared, "/readyz"))[0] == 200
    assert await get(shared, "/readyz", "HEAD") == (200, "")
    assert "/metrics" in (await get(shared, "/"))[1]
    assert (await get(shared, "/admin"))[0] == 404
    assert (await get(shared, "/healthz", "POST"))[0] == 405


async def test_metrics_count_acceptance_calls_and_outcomes(shared: Daemon) -> None:
    await shared.publish(envelope("metered", "Opened", update={"plan": "gold"}, envelope_id="metered"))
    await shared.ended(["metered"])
    status, text = await get(shared, "/metrics")
    lines = text.splitlines()
    assert status == 200
    accepted = 'connection="default",disposition="accepted"'
    assert f'intercomd_envelopes_received_total{{{accepted},reason=""}} 1.0' in lines
    assert 'intercomd_outcomes_total{connection="default",reason="",type="delivered"} 1.0' in lines
    assert 'intercomd_intercom_calls_total{call="POST /events",connection="default",status="2xx"} 1.0' in lines
    assert 'intercomd_connection_state{connection="default",state="delivering"} 1.0' in lines
    assert "metered" not in text
    assert any(
        line.startswith("intercomd_spool_commit_duration_seconds_count ") and line[-4:] != " 0.0" for line in lines
    )


async def test_outage_of_intercom_takes_nothing_out_of_service(shared: Daemon, shared_sandbox: Sandbox) -> None:
    """Calls fail for five users in a row: the connection is down, and the daemon is as ready and alive as before."""
    await shared_sandbox.stop()
    names = [f"outage-{number}" for number in range(10)]
    await shared.publish(*(envelope(name, "Opened", envelope_id=name) for name in names))
    await shared.heard("connection", state="down")
    health = health_pb2_grpc.HealthStub(shared.channel)
    assert (await health.Check(health_pb2.HealthCheckRequest())).status == SERVING
    status, text = await get(shared, "/readyz")
    assert (status, '"default":"down"' in text) == (200, True)
    assert (await get(shared, "/healthz"))[0] == 200
    await shared_sandbox.start()
    await shared.ended(names)
    assert shared.logged("connection")[-1]["state"] == "delivering"
