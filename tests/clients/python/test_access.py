"""Targets, tokens and TLS: an argument that can never work is refused by name."""

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
import trustme

from intercomd import BlockingPublisher, Envelope, Identity, Publisher, PublishError, Tls
from intercomd.target import check_target

if TYPE_CHECKING:
    from conftest import RunningDaemon


@pytest.mark.parametrize(
    "target",
    [
        "127.0.0.1:50051",
        "intercomd:1",
        "[::1]:65535",
        "unix:/run/i.sock",
        "dns:///gateway:443",
        "ipv4:127.0.0.1:1,127.0.0.2:2",
        "xds:///intercomd",
        "unix-abstract:intercomd",
    ],
)
def test_target_in_grpcs_syntax_is_accepted(target: str) -> None:
    check_target(target)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("", "empty"),
        (" 127.0.0.1:1", "white space"),
        ("http://127.0.0.1:50051", "is a URL"),
        ("grpc://127.0.0.1:50051", "is a URL"),
        ("127.0.0.1", "no port"),
        ("::1", "no port"),
        (":50051", "no host"),
        ("127.0.0.1:99999", "port '99999'"),
        ("127.0.0.1:0", "port '0'"),
        ("localhost:http", "port 'http'"),
        ("127.0.0.1:50051/v1", "path"),
        ("unix:", "no path"),
    ],
)
async def test_malformed_target_is_refused_by_both_publishers(target: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BlockingPublisher(target)
    with pytest.raises(ValueError, match=message):
        Publisher(target)


def test_publisher_without_an_event_loop_names_the_other_one() -> None:
    with pytest.raises(RuntimeError, match="use BlockingPublisher"):
        Publisher()


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "empty"), (b"\n", "empty"), (b"a\nb\n", "one line"), ("a".encode("utf-16"), "UTF-8"), (b"a\0", "one line")],
)
def test_token_file_without_a_token_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=f"token_file .*{message}"):
        BlockingPublisher(token_file=file)
    with pytest.raises(ValueError, match="missing cannot be read"):
        BlockingPublisher(token_file=tmp_path / "missing")


def test_arguments_that_exclude_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="token and token_file"):
        BlockingPublisher(token="a", token_file="b")
    with pytest.raises(ValueError, match="cert_file and key_file"):
        Tls(cert_file="a")


@pytest.mark.parametrize(
    ("listener", "message"),
    [
        ("operations_address", "{} does not serve intercomd.v1.IngestService: set `target` to the ingest address"),
        ("http_address", "{} answers HTTP/1, not gRPC: set `target` to the ingest address"),
    ],
)
async def test_publisher_of_an_operations_listener_stops_and_names_the_ingest_address(
    running: "RunningDaemon", listener: str, message: str
) -> None:
    """Both listeners of a running daemon, by both publishers."""
    target = getattr(running.process, listener)
    expected = re.escape(message.format(target))
    envelope = Envelope(identity=Identity(customer_id="42"))
    publisher = Publisher(target)
    with pytest.raises(PublishError, match=expected):
        await publisher.publish_and_wait(envelope)
    assert len(await publisher.close()) == 1
    blocking = BlockingPublisher(target)
    with pytest.raises(PublishError, match=expected):
        await asyncio.to_thread(blocking.publish_and_wait, envelope)
    assert len(blocking.close()) == 1


async def serve_tls(authority: trustme.CA, port: int = 0) -> tuple[grpc.aio.Server, int]:
    """Starts a server without services, which answers every call with UNIMPLEMENTED."""
    certificate = authority.issue_cert("localhost")
    pair = (certificate.private_key_pem.bytes(), b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    server = grpc.aio.server()
    port = server.add_secure_port(f"localhost:{port}", grpc.ssl_server_credentials([pair]))
    await server.start()
    return server, port


async def test_tls_files_are_used_and_read_again(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(file))
    authority = trustme.CA()
    server, port = await serve_tls(authority)
    envelope = Envelope(identity=Identity(customer_id="42"))
    publisher = Publisher(f"localhost:{port}", tls=Tls(ca_file=file))
    with pytest.raises(TimeoutError):  # another authority: it may yet be replaced
        await publisher.publish_and_wait(envelope, 0.5)
    authority.cert_pem.write_to_path(str(file))
    with pytest.raises(PublishError, match="does not serve"):
        await publisher.flush()
    await publisher.close()
    await server.stop(None)
