"""A stock gRPC client in Go before a daemon with certificates and tokens, which change while it publishes.

`make deploy` runs this; .ci/tools builds the client from `tests/deploy/go`.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trustme

from daemons.process import Daemon
from intercomd_daemon.sandbox import Sandbox
from tls.certificates import Client, Files, uri_client

Publish = Callable[..., Awaitable[asyncio.subprocess.Process]]
WAIT_SECONDS = 60.0


class Gateway:
    """A daemon that requires client certificates, and the files that it and its clients read."""

    def __init__(self, folder: Path) -> None:
        self.authority = trustme.CA()
        self.files = Files(folder)
        self.files.write_client_ca(self.authority)
        self.token = secrets.token_urlsafe(32)
        self.tokens = folder / "tokens"
        self.token_of_client = folder / "client-token"
        self.ca = folder / "ca.pem"
        self.ca.write_bytes(self.files.ca.cert_pem.bytes())
        self.daemon: Daemon
        self.write_tokens(self.token)
        self.folder = folder

    def write_tokens(self, *tokens: str) -> None:
        self.tokens.write_text("\n".join(tokens))

    @property
    def tables(self) -> dict[str, Any]:
        names = ["spiffe://prod/ns/billing/sa/*", "*.billing.internal"]
        billing = {"token_file": str(self.tokens), "certificate_names": names}
        return {"ingest": {"tls": self.files.table}, "callers": {"billing": billing}}

    def write(self, client: Client) -> Path:
        path = self.folder / "client.pem"
        path.write_bytes(client.certificate + client.key)
        return path

    def uri(self, uri: str) -> Path:
        return self.write(uri_client(self.authority, self.ca.read_bytes(), uri))

    def dns(self, name: str, authority: trustme.CA | None = None, **fields: Any) -> Path:  # noqa: ANN401 - of trustme
        issued = (authority or self.authority).issue_cert(name, **fields)
        chain = b"".join(pem.bytes() for pem in issued.cert_chain_pems)
        return self.write(Client(self.ca.read_bytes(), chain, issued.private_key_pem.bytes()))


@pytest.fixture
async def gateway(tmp_path: Path, sandbox: Sandbox) -> AsyncIterator[Gateway]:
    (tmp_path / "files").mkdir()
    made = Gateway(tmp_path / "files")
    made.daemon = await Daemon(tmp_path, sandbox.base_url, made.tables).start()
    yield made
    await made.daemon.close()


@pytest.fixture
def publish(gateway: Gateway, launch: Publish) -> Publish:
    async def start(certificate: Path, token: str = "", calls: int = 0) -> asyncio.subprocess.Process:
        words = ["-target", gateway.daemon.ingest_address, "-ca", gateway.ca, "-certificate", certificate]
        if token:
            gateway.token_of_client.write_text(token)
            words += ["-token-file", gateway.token_of_client]
        pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}
        return await launch("publish-go", *words, "-calls", str(calls), **pipes)

    return start


async def result(client: asyncio.subprocess.Process) -> tuple[int, dict[str, int]]:
    """Ends a client; returns how many envelopes were accepted, and its failures by code and reason."""
    async with asyncio.timeout(WAIT_SECONDS):
        output, _ = await client.communicate(b"")
    found = json.loads(output)
    return found["Accepted"], found["Failures"]


async def renewed(gateway: Gateway, event: str, number: int) -> None:
    await gateway.daemon.until(lambda: len(gateway.daemon.logged(event)) == number)


async def test_certificates_and_tokens_change_without_a_failed_call(gateway: Gateway, publish: Publish) -> None:
    client = await publish(gateway.uri("spiffe://prod/ns/billing/sa/api"), gateway.token)
    await gateway.daemon.heard("outcome")
    for number in (1, 2):
        gateway.files.write_pair()
        await renewed(gateway, "tls_reloaded", number)
    other, token = trustme.CA(), secrets.token_urlsafe(32)
    gateway.files.write_client_ca(gateway.authority, other)
    gateway.write_tokens(gateway.token, token)
    await renewed(gateway, "tls_reloaded", 3)
    gateway.dns("api.billing.internal", other)
    new = gateway.token_of_client.with_name("new")
    new.write_text(token)
    new.replace(gateway.token_of_client)
    seen = len(gateway.daemon.outcomes)
    await gateway.daemon.until(lambda: len(gateway.daemon.outcomes) > seen)
    accepted, failures = await result(client)
    assert failures == {}
    await gateway.daemon.ended([f"go-{number}" for number in range(accepted)])


@pytest.mark.parametrize("name", ["spiffe://prod/ns/billing/sa/api", "api.billing.internal"])
async def test_name_of_the_certificate_identifies_the_caller(gateway: Gateway, publish: Publish, name: str) -> None:
    certificate = gateway.uri(name) if "://" in name else gateway.dns(name)
    assert await result(await publish(certificate, calls=5)) == (5, {})
    assert await result(await publish(certificate, "x" * 43, calls=5)) == (
        0,
        {"Unauthenticated CREDENTIALS_INVALID": 5},
    )


@pytest.mark.parametrize("name", ["spiffe://prod/ns/billing/sa/api/v2", "spiffe://staging/ns/billing/sa/api"])
async def test_certificate_of_no_caller_needs_a_token(gateway: Gateway, publish: Publish, name: str) -> None:
    certificate = gateway.uri(name)
    assert await result(await publish(certificate, calls=5)) == (0, {"Unauthenticated CREDENTIALS_INVALID": 5})
    assert await result(await publish(certificate, gateway.token, calls=5)) == (5, {})


@pytest.mark.parametrize("kind", ["expired", "of another authority"])
async def test_certificate_that_cannot_be_verified_gets_no_connection(
    gateway: Gateway, publish: Publish, kind: str
) -> None:
    past = {"not_before": datetime(2019, 1, 1, tzinfo=UTC), "not_after": datetime(2020, 1, 1, tzinfo=UTC)}
    certificate = (
        gateway.dns("api.billing.internal", **past)
        if kind == "expired"
        else gateway.dns("api.billing.internal", trustme.CA())
    )
    assert await result(await publish(certificate, gateway.token, calls=5)) == (0, {"Unavailable": 5})
