"""Targets, tokens and TLS: an argument that can never work is refused by name."""

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
import trustme

from intercomd import BlockingPublisher, Envelope, Identity, Publisher, PublishError, PublisherSettings, Tls
from intercomd.access import Access
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
        ("http_address", "{} answers HTTP/1 or another protocol, not gRPC: set `target`"),
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


@dataclass
class Pairs:
    """Two client certificates with their keys, and files that are none."""

    folder: Path

    def __post_init__(self) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.folder / "ca"))
        for name in ("one", "two"):
            made = authority.issue_cert("localhost")
            made.cert_chain_pems[0].write_to_path(str(self.folder / f"{name}.cert"))
            made.private_key_pem.write_to_path(str(self.folder / f"{name}.key"))
        self.write("text", b"no certificate")
        self.write("cut", self.read("ca")[:200])
        self.write("other", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def write(self, name: str, content: bytes) -> None:
        (self.folder / name).write_bytes(content)

    def tls(self, ca: str, cert: str | None = None, key: str | None = None) -> Tls:
        return Tls(
            ca_file=self.folder / ca,
            cert_file=cert and str(self.folder / cert),
            key_file=key and str(self.folder / key),
        )


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("missing",), "tls.ca_file .*missing cannot be read"),
        (("text",), "tls.ca_file .*text holds no certificate"),
        (("cut",), "tls.ca_file .*cut holds no certificate"),
        (("other",), "tls.ca_file .*other holds no certificate"),
        (("one.key",), "tls.ca_file .*one.key holds no certificate"),
        (("ca", "text", "one.key"), "tls.cert_file .*text and tls.key_file .*one.key are no certificate and its key"),
        (("ca", "one.cert", "text"), "tls.key_file .*text are no"),
        (("ca", "one.cert", "two.key"), "tls.key_file .*two.key are no"),
        (("ca", "one.key", "one.cert"), "tls.cert_file .*one.key and"),
    ],
)
def test_tls_files_that_make_no_credentials_are_named(tmp_path: Path, names: tuple[str, ...], message: str) -> None:
    """They only failed each call, which was repeated for ever."""
    tls = Pairs(tmp_path).tls(*names)
    with pytest.raises(ValueError, match=message):
        BlockingPublisher(tls=tls)


def test_half_replaced_pair_is_not_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pairs = Pairs(tmp_path)
    access = Access(
        "localhost:1",
        PublisherSettings(),
        credentials=None,
        tls=pairs.tls("ca", "one.cert", "one.key"),
        token=None,
        token_file=None,
        metadata=(),
    )
    assert not access.tls_changed()
    pairs.write("one.cert", pairs.read("two.cert"))
    assert not access.tls_changed()
    assert not access.tls_changed()
    assert caplog.text.count("Using the last good tls") == 1
    pairs.write("one.key", pairs.read("two.key"))
    assert access.tls_changed()
    assert not access.tls_changed()
