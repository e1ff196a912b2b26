"""A daemon with TLS: replaced certificates are in use without a restart, unusable ones are named."""

from pathlib import Path

import grpc
import trustme

from daemons.process import Daemon, Start
from intercomd.v1 import ingest_pb2_grpc, operations_pb2, operations_pb2_grpc
from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.ingest_pb2 import PublishRequest
from intercomd_daemon.sandbox import Sandbox
from tls.certificates import Client, Files, pair


def channel(address: str, client: Client) -> grpc.aio.Channel:
    return grpc.aio.secure_channel(address, client.grpc, [("grpc.use_local_subchannel_pool", 1)])


def envelope(name: str) -> Envelope:
    message = Envelope()
    message.identity.customer_id = "42"
    message.custom_event.name = name
    return message


async def test_renewed_certificates_are_in_use_without_a_restart(tmp_path: Path, start: Start) -> None:
    files = Files(tmp_path)
    authority = trustme.CA()
    files.write_client_ca(authority)
    daemon = await start(ingest={"tls": files.table}, operations={"tls": files.table, "insecure": True})
    async with channel(daemon.ingest_address, files.client(authority)) as connected:
        stub = ingest_pb2_grpc.IngestServiceStub(connected)
        assert (await stub.Publish(PublishRequest(envelopes=[envelope("one")]))).results
        renewed = trustme.CA()
        files.certificate.write_bytes(pair(renewed, "127.0.0.1")[0])
        assert "is not the key of" in (await daemon.heard("tls_unusable", section="ingest.tls"))["error"]
        files.write_pair(renewed)
        await daemon.heard("tls_reloaded", section="ingest.tls")
        await daemon.heard("tls_reloaded", section="operations.tls")
        assert (await stub.Publish(PublishRequest(envelopes=[envelope("two")]))).results
    client = files.client(authority)._replace(ca=renewed.cert_pem.bytes())
    async with channel(daemon.ingest_address, client) as connected:
        stub = ingest_pb2_grpc.IngestServiceStub(connected)
        assert (await stub.Publish(PublishRequest(envelopes=[envelope("three")]))).results
    async with channel(daemon.operations_address, client) as connected:
        status = await operations_pb2_grpc.OperationsServiceStub(connected).GetStatus(operations_pb2.GetStatusRequest())
        assert status.version
    keys = files.key.read_text().splitlines()[1:-1]
    assert not [line for line in daemon.lines if any(key in str(line) for key in keys)]


async def test_missing_key_ends_the_start_with_1(tmp_path: Path, sandbox: Sandbox) -> None:
    """It may be mounted late, and then a restart helps; 78 would prevent it."""
    files = Files(tmp_path)
    files.key.unlink()
    daemon = await Daemon(tmp_path, sandbox.base_url, {"ingest": {"tls": files.table}}).launch()
    assert await daemon.gone() == 1
    assert f"{files.key}: No such file or directory" in daemon.logged("fatal")[0]["error"]
