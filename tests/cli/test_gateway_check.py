"""`intercomd check` at an agent asks the gateway."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
import trustme

from forwarding.scripted import Refusal, ScriptedGateway, accept, info
from intercomd.v1.ingest_pb2 import DISPOSITION_REJECTED, DISPOSITION_SKIPPED, PublishRequest, PublishResponse
from intercomd_daemon.cli.gateway_check import check_gateway
from intercomd_daemon.cli.preflight import CheckResult
from intercomd_daemon.config import Settings
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.forward.settings import UpstreamSettings, UpstreamTlsSettings

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


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
    assert "UPSTREAM_UNKNOWN_CONNECTION: Add the connection" in texts[1]
    assert "UPSTREAM_FORBIDDEN (PERMISSION_DENIED: not yours)" in texts[2]
    assert "CONNECTION_INACTIVE" in texts[3]


async def test_check_names_a_loop_and_an_agent_that_reaches_no_gateway() -> None:
    def locally(request: PublishRequest) -> PublishResponse:
        response = accept(request)
        response.results[0].adjustments.add(reason="VALIDATED_LOCALLY")
        return response

    async with ScriptedGateway() as server:
        server.probes = [info(grpc.StatusCode.FAILED_PRECONDITION, "FORWARDING_LOOP"), locally]
        found = await check_gateway(settings(server.address, "default", "eu"))
    assert levels(found) == ["wrong", "unknown"]
    assert "UPSTREAM_LOOP" in str(found[0])
    assert "its own gateway has not answered" in str(found[1])


async def test_absent_gateway_is_unknown_and_a_missing_file_wrong(unused_tcp_port: int) -> None:
    target = f"127.0.0.1:{unused_tcp_port}"
    assert levels(await check_gateway(settings(target, "default"))) == ["unknown"]
    found = await check_gateway(settings(target, "default", token_file="/nowhere"))
    assert levels(found) == ["wrong"]


@pytest.mark.parametrize(
    ("names", "times", "text"),
    [
        (("gateway.example",), (-DAY, DAY), "its certificate is for another name; set upstream.tls.server_name"),
        (("127.0.0.1",), (-2 * DAY, -DAY), "has expired; renew it"),
        (("127.0.0.1",), (DAY, 2 * DAY), "its certificate is not valid yet"),
    ],
)
async def test_check_names_what_is_wrong_with_the_gateways_certificate(
    tmp_path: Path, names: tuple[str, ...], times: tuple[timedelta, timedelta], text: str
) -> None:
    ca = trustme.CA()
    issued = ca.issue_cert(*names, not_before=NOW + times[0], not_after=NOW + times[1])
    assert text in await problem_with(tmp_path, ca, issued)


async def test_check_names_an_untrusted_authority_and_a_gateway_without_tls(tmp_path: Path) -> None:
    ca, other = trustme.CA(), trustme.CA()
    issued = other.issue_cert("127.0.0.1")
    assert "put this authority into upstream.tls.ca_file" in await problem_with(tmp_path, ca, issued)
    issued.cert_chain_pems.append(other.cert_pem)
    assert "put this authority into upstream.tls.ca_file" in await problem_with(tmp_path, ca, issued)
    assert "it does not use TLS" in await problem_with(tmp_path, ca, None)


async def test_check_names_the_missing_client_certificate(tmp_path: Path) -> None:
    ca = trustme.CA()
    found = await problem_with(tmp_path, ca, ca.issue_cert("127.0.0.1"), client_ca=ca, level="unknown")
    assert "if it requires client certificates, set upstream.tls.certificate_file" in found


async def problem_with(
    folder: Path,
    ca: trustme.CA,
    issued: trustme.LeafCert | None,
    client_ca: trustme.CA | None = None,
    level: str = "wrong",
) -> str:
    """Returns what the check finds wrong with a gateway that has this certificate, or no TLS."""
    (folder / "ca.pem").write_bytes(ca.cert_pem.bytes())
    server = grpc.aio.server()
    if issued is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        chain = b"".join(pem.bytes() for pem in issued.cert_chain_pems)
        pair = (issued.private_key_pem.bytes(), chain)
        roots = client_ca.cert_pem.bytes() if client_ca else None
        credentials = grpc.ssl_server_credentials([pair], roots, require_client_auth=client_ca is not None)
        port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    upstream = UpstreamSettings(target=f"127.0.0.1:{port}", tls=UpstreamTlsSettings(ca_file=str(folder / "ca.pem")))
    try:
        (found,) = await check_gateway(
            Settings(upstream=upstream, connections={"default": ConnectionSettings(name="default")})
        )
    finally:
        await server.stop(None)
    assert found.as_json()["level"] == level
    return found.message
