"""`intercomd check` at an agent asks the gateway."""

import grpc

from forwarding.scripted import Refusal, ScriptedGateway, accept
from intercomd.v1.ingest_pb2 import DISPOSITION_REJECTED, DISPOSITION_SKIPPED, PublishRequest, PublishResponse
from intercomd_daemon.cli.gateway_check import check_gateway
from intercomd_daemon.cli.preflight import CheckResult
from intercomd_daemon.config import Settings
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.forward.settings import UpstreamSettings


def settings(target: str, *names: str, token_file: str = "") -> Settings:
    return Settings(
        upstream=UpstreamSettings(target=target, token_file=token_file),
        connections={name: ConnectionSettings(name=name) for name in names},
    )


def refused(reason: str, disposition: int) -> object:
    def answer(request: PublishRequest) -> PublishResponse:
        response = accept(request, disposition)
        response.results[0].violations.add(reason=reason)
        return response

    return answer


def levels(found: list[CheckResult]) -> list[str]:
    return [result.as_json()["level"] for result in found]


async def test_each_connection_is_checked() -> None:
    async with ScriptedGateway() as server:
        server.probes = [
            accept,
            refused("UNKNOWN_CONNECTION", DISPOSITION_REJECTED),
            Refusal(grpc.StatusCode.PERMISSION_DENIED, "not yours"),
            refused("CONNECTION_INACTIVE", DISPOSITION_SKIPPED),
        ]
        found = await check_gateway(settings(server.address, "default", "eu", "us", "off"))
    assert levels(found) == ["ok", "wrong", "wrong", "note"]
    texts = [str(result) for result in found]
    assert "its spool is spool-1" in texts[0]
    assert "UPSTREAM_UNKNOWN_CONNECTION" in texts[1]
    assert "UPSTREAM_FORBIDDEN (PERMISSION_DENIED: not yours)" in texts[2]
    assert "CONNECTION_INACTIVE" in texts[3]


async def test_absent_gateway_is_unknown_and_a_missing_file_wrong(unused_tcp_port: int) -> None:
    target = f"127.0.0.1:{unused_tcp_port}"
    assert levels(await check_gateway(settings(target, "default"))) == ["unknown"]
    found = await check_gateway(settings(target, "default", token_file="/nowhere"))
    assert levels(found) == ["wrong"]
