"""The gateway is called over real gRPC: what it is sent, and what its replies become."""

import asyncio
from pathlib import Path

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from forwarding.garbled import GarbledServer
from forwarding.scripted import Refusal, ScriptedGateway, accept, info
from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.ingest_pb2 import PublishRequest, PublishResponse
from intercomd_daemon.envelope import Finding
from intercomd_daemon.errors import ForwardingLoop, RequestRefused, RetryLater
from intercomd_daemon.forward.gateway import CALL_SECONDS, PROBE, Gateway, UpstreamUnusable, read_error
from intercomd_daemon.forward.replies import Reply, Result
from intercomd_daemon.forward.settings import UpstreamSettings, UpstreamTlsSettings
from intercomd_daemon.passed_agents import passed_agents
from tls.certificates import Files

A = Envelope(envelope_id="a").SerializeToString()
B = Envelope(envelope_id="b").SerializeToString()


def rejecting(request: PublishRequest) -> PublishResponse:
    response = accept(request, 4)
    response.results[0].violations.add(reason="PLACEHOLDER_ID", field="identity.customer_id", message="a placeholder")
    response.results[1].adjustments.add(reason="VALUE_TRUNCATED", field="user_attributes[0]", message="cut")
    return response


async def test_request_holds_the_bytes_and_the_forwarder() -> None:
    async with ScriptedGateway(rejecting) as server:
        gateway = Gateway(UpstreamSettings(target=server.address))
        reply = await gateway.publish([A, B], "agent-1", 7, "spool-1")
        await gateway.close()
    (request,) = server.requests
    assert [each.SerializeToString() for each in request.envelopes] == [A, B]
    assert (request.forwarder.agent_id, request.forwarder.sequence, request.forwarder.spool_id) == (
        "agent-1",
        7,
        "spool-1",
    )
    violation = Finding("PLACEHOLDER_ID", "identity.customer_id", "a placeholder")
    adjustment = Finding("VALUE_TRUNCATED", "user_attributes[0]", "cut")
    assert reply == Reply("OK", spool_id="spool-1", results=(Result(4, (violation,)), Result(4, (), (adjustment,))))


async def test_probe_stores_nothing() -> None:
    async with ScriptedGateway() as server:
        gateway = Gateway(UpstreamSettings(target=server.address))
        reply = await gateway.probe("eu", "agent-1")
        await gateway.close()
    assert reply == Reply("OK", spool_id="spool-1", results=(Result(1),))
    assert server.requests == []
    assert PROBE == "intercomd-probe"


async def test_error_carries_its_details() -> None:
    status = Status(code=14)
    status.details.add().Pack(RetryInfo(retry_delay={"seconds": 4}))
    full = Refusal(
        grpc.StatusCode.UNAVAILABLE, "the spool is full", (("grpc-status-details-bin", status.SerializeToString()),)
    )
    changed = info(grpc.StatusCode.FAILED_PRECONDITION, "SPOOL_CHANGED", spool_id="spool-2")
    async with ScriptedGateway(full, changed) as server:
        gateway = Gateway(UpstreamSettings(target=server.address))
        replies = [await gateway.publish([A], "agent-1", 7, "spool-1") for _ in range(2)]
        await gateway.close()
    assert replies == [
        Reply("UNAVAILABLE", "the spool is full", 4.0),
        Reply("FAILED_PRECONDITION", "refused", None, "SPOOL_CHANGED", "spool-2"),
    ]


def test_details_that_cannot_be_read_count_as_absent() -> None:
    assert read_error("INTERNAL", "x", (("grpc-status-details-bin", b"\xff"),)) == Reply("INTERNAL", "x")


async def test_absent_gateway_is_unavailable(unused_tcp_port: int) -> None:
    gateway = Gateway(UpstreamSettings(target=f"127.0.0.1:{unused_tcp_port}"))
    reply = await gateway.publish([A], "agent-1", 7, "")
    assert (reply.code, reply.retry_after_seconds) == ("UNAVAILABLE", None)
    assert await gateway.validate([A]) is None
    with pytest.raises(RetryLater, match="UNAVAILABLE"):
        await gateway.preview([A])
    await gateway.close()


@pytest.mark.fills("forward.gateway.CALL_SECONDS")
async def test_silent_gateway_meets_the_deadline() -> None:
    async with ScriptedGateway(asyncio.Event()) as server:
        gateway = Gateway(UpstreamSettings(target=server.address), call_seconds=0.3)
        reply = await gateway.publish([A], "agent-1", 1, "")
        await gateway.close()
    assert reply.code == "DEADLINE_EXCEEDED"
    assert len(server.requests) == 1
    assert CALL_SECONDS == 30.0


async def test_token_is_read_again_before_each_call(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("icd_one\n")
    async with ScriptedGateway() as server:
        gateway = Gateway(UpstreamSettings(target=server.address, token_file=str(file)))
        assert gateway.token() == "Bearer icd_one"
        await gateway.probe("default", "agent-1")
        file.write_text("icd_two")
        await gateway.probe("default", "agent-1")
        await gateway.close()
    assert server.tokens == ["Bearer icd_one", "Bearer icd_two"]


@pytest.mark.parametrize("key", ["token_file", "tls.ca_file", "tls.certificate_file", "tls.key_file"])
@pytest.mark.parametrize(("content", "message"), [(None, "No such file or directory; put it there"), (b"", "is empty")])
def test_missing_file_is_an_error_that_names_its_setting(
    tmp_path: Path, key: str, content: bytes | None, message: str
) -> None:
    files = Files(tmp_path)
    (tmp_path / "token").write_text("icd_" + "x" * 40)
    paths = {
        "token_file": tmp_path / "token",
        "tls.ca_file": tmp_path / "ca.pem",
        "tls.certificate_file": files.certificate,
        "tls.key_file": files.key,
    }
    paths["tls.ca_file"].write_bytes(files.ca.cert_pem.bytes())
    tls = UpstreamTlsSettings(**{name[4:]: str(path) for name, path in paths.items() if name.startswith("tls.")})
    settings = UpstreamSettings(target="127.0.0.1:1", token_file=str(paths["token_file"]), tls=tls)
    Gateway(settings)
    paths[key].unlink() if content is None else paths[key].write_bytes(content)
    with pytest.raises(UpstreamUnusable) as refused:
        Gateway(settings)
    assert str(refused.value).startswith(f"upstream.{key}: {paths[key]}")
    assert message in str(refused.value)


def test_file_of_other_content_is_an_error_that_names_it(tmp_path: Path) -> None:
    files, other = Files(tmp_path), tmp_path / "other"
    other.write_text("no PEM")
    for tls in (
        UpstreamTlsSettings(ca_file=str(other)),
        UpstreamTlsSettings(certificate_file=str(other), key_file=str(files.key)),
        UpstreamTlsSettings(certificate_file=str(files.certificate), key_file=str(other)),
    ):
        with pytest.raises(UpstreamUnusable, match=r"^upstream\.tls: .*other.* cannot be used .*PEM"):
            Gateway(UpstreamSettings(target="127.0.0.1:1", tls=tls))
    other.write_text("two words")
    with pytest.raises(UpstreamUnusable, match=r"^upstream\.token_file .*must be one line"):
        Gateway(UpstreamSettings(target="127.0.0.1:1", token_file=str(other)))


async def test_refused_validation_and_preview_are_the_callers_fault() -> None:
    async with ScriptedGateway() as server:
        server.probes = [Refusal(grpc.StatusCode.INVALID_ARGUMENT, "too many")] * 2
        gateway = Gateway(UpstreamSettings(target=server.address))
        with pytest.raises(RequestRefused, match="too many"):
            await gateway.validate([A])
        with pytest.raises(RequestRefused, match="too many"):
            await gateway.preview([A])
        validated = await gateway.validate([A, B])
        assert validated is not None
        assert [each.envelope_id for each in validated.results] == ["a", "b"]
        previewed = await gateway.preview([A, B])
        assert [each.result.envelope_id for each in previewed.previews] == ["a", "b"]
        await gateway.close()


async def test_response_that_cannot_be_decoded_is_an_error_of_the_call() -> None:
    async with GarbledServer() as server:
        gateway = Gateway(UpstreamSettings(target=server.address))
        for reply in (await gateway.publish([A], "agent-1", 7, "spool-1"), await gateway.probe("eu", "agent-1")):
            assert (reply.code, reply.results) == ("INTERNAL", ())
            assert reply.message.startswith("the response is not a PublishResponse (")
        assert await gateway.validate([A]) is None
        with pytest.raises(RetryLater, match="the response is not a PreviewResponse"):
            await gateway.preview([A])
        await gateway.close()


async def test_calls_name_the_agents_that_they_have_passed() -> None:
    async with ScriptedGateway() as server:
        gateway = Gateway(UpstreamSettings(target=server.address))
        await gateway.publish([A], "agent-1", 7, "spool-1")
        await gateway.probe("eu", "agent-1")
        await gateway.validate([A])
        token = passed_agents.set(("agent-0", "agent-1"))
        await gateway.validate([A])
        await gateway.preview([A])
        passed_agents.reset(token)
        await gateway.close()
    assert server.passed == ["agent-1", "agent-1", "", "agent-0,agent-1", "agent-0,agent-1"]


async def test_loop_is_reported_to_other_agents_and_is_an_absent_gateway_to_senders() -> None:
    async with ScriptedGateway() as server:
        server.probes = [info(grpc.StatusCode.FAILED_PRECONDITION, "FORWARDING_LOOP")] * 2
        gateway = Gateway(UpstreamSettings(target=server.address))
        token = passed_agents.set(("agent-1",))
        assert await gateway.validate([A]) is None
        passed_agents.set(("agent-0", "agent-1"))
        with pytest.raises(ForwardingLoop, match="agent-1"):
            await gateway.validate([A])
        passed_agents.reset(token)
        await gateway.close()
