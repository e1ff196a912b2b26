"""Every listener, method and credential over real sockets: who is let in, and what each caller may do.

The methods come from the descriptors, so a new method is here from its first day.
"""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import aiohttp
import grpc
import pytest
import trustme
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_channelz.v1 import channelz_pb2
from prometheus_client import CollectorRegistry

from intercomd.v1 import ingest_pb2, operations_pb2
from intercomd.v1.envelope_pb2 import Envelope
from intercomd_daemon import config
from intercomd_daemon.app.listeners import open_ingest, open_operations
from intercomd_daemon.app.security import Security
from intercomd_daemon.operations.permissions import EVERYWHERE, LEVELS
from intercomd_daemon.operations.service import METHODS as OPERATIONS_METHODS
from intercomd_daemon.operations.settings import HealthSettings
from intercomd_daemon.rpc.callers import Level, hash_of
from intercomd_daemon.telemetry.log_stream import LogStream
from intercomd_daemon.telemetry.logs import set_up
from listeners import Starting, ingest_service, operations_service
from tls.certificates import Client, Files, ssl_context, uri_client

OWN = [("grpc.use_local_subchannel_pool", 1)]
Metadata = tuple[tuple[str, str], ...]


def token(name: str) -> str:
    return name.ljust(32, "-")


def bearer(name: str) -> Metadata:
    return (("authorization", f"Bearer {token(name)}"),)


CALLERS = {
    "none": {"operations": "none"},
    "status": {"operations": "status"},
    "read": {"operations": "read"},
    "write": {"operations": "write"},
    "all": {"operations": "write", "connections": ["*"]},
    "nowhere": {"operations": "write", "connections": []},
}
INGEST = [
    f"/intercomd.v1.IngestService/{name}"
    for name in ingest_pb2.DESCRIPTOR.services_by_name["IngestService"].methods_by_name
]
OPERATIONS = [f"/intercomd.v1.OperationsService/{name}" for name in sorted(OPERATIONS_METHODS)]
OPERATIONS += [
    f"/grpc.channelz.v1.Channelz/{name}"
    for name in channelz_pb2.DESCRIPTOR.services_by_name["Channelz"].methods_by_name
]
COMMON = [
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/List",
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/no.such.Service/Method",
    "/intercomd.v1.IngestService/NoSuchMethod",
    "/",
]
OF_ONE_CONNECTION = {"GetWaitingEnvelope", "PauseConnection", "ResumeConnection", "GiveUpEnvelope", "RetryConnection"}
CHECK = "/grpc.health.v1.Health/Check"
WRONG: dict[str, tuple[Metadata, str]] = {
    "nothing": ((), "CREDENTIALS_MISSING"),
    "unknown token": (bearer("nobody"), "CREDENTIALS_INVALID"),
    "short token": ((("authorization", "Bearer short"),), "CREDENTIALS_INVALID"),
    "no token": ((("authorization", "Bearer"),), "CREDENTIALS_INVALID"),
    "empty header": ((("authorization", ""),), "CREDENTIALS_INVALID"),
    "other scheme": ((("authorization", f"Basic {token('all')}"),), "CREDENTIALS_INVALID"),
    "two headers": (bearer("all") + bearer("all"), "CREDENTIALS_INVALID"),
    "hash in place of the token": (
        (("authorization", f"Bearer {hash_of(token('all'))}"),),
        "CREDENTIALS_INVALID",
    ),
    "forwarded certificate": ((("x-forwarded-client-cert", "URI=spiffe://prod/all"),), "CREDENTIALS_MISSING"),
}


class Answer(NamedTuple):
    code: grpc.StatusCode
    reason: str
    text: str


async def call(channel: grpc.aio.Channel, method: str, metadata: Metadata = (), request: bytes = b"") -> Answer:
    """One call with one request, in the shape that fits methods of every kind; a response ends it."""
    made = channel.unary_stream(method)(request, metadata=metadata, timeout=60)
    try:
        if await made.read() is not grpc.aio.EOF:
            made.cancel()  # A watch would not end by itself.
            return Answer(grpc.StatusCode.OK, "", "")
    except grpc.aio.AioRpcError:
        pass
    code, details, trailers = await made.code(), await made.details(), await made.trailing_metadata()
    status = Status.FromString(dict(trailers or ()).get("grpc-status-details-bin", b""))
    info = ErrorInfo()
    for detail in status.details:
        detail.Unpack(info)
    return Answer(code, info.reason, f"{details} {trailers}")


class Opened(NamedTuple):
    """Listeners that were opened with settings."""

    ingest: tuple[str, ...]
    operations: str
    http: str
    health: str
    security: Security
    requests: list[tuple[str, str, str]]


@asynccontextmanager
async def opened(settings: config.Settings) -> AsyncIterator[Opened]:
    requests: list[tuple[str, str, str]] = []
    security = Security(settings, set_up(settings.log, LogStream()).logger, lambda *request: requests.append(request))
    security.load()
    ingest = await open_ingest(ingest_service(security.ingest.guard), settings.ingest, security.ingest)
    operations = await open_operations(
        Starting(),
        operations_service(security.operations.guard),
        settings.operations,
        HealthSettings(listen=("127.0.0.1:0",)),
        CollectorRegistry(),
        security.operations,
        security.http_guard,
    )
    try:
        yield Opened(
            ingest.addresses,
            operations.grpc_address,
            operations.http_address,
            operations.health_addresses[0],
            security,
            requests,
        )
    finally:
        await operations.close()
        await ingest.close(None)


def callers() -> dict[str, dict[str, object]]:
    return {name: {"token_sha256": [hash_of(token(name))], **permissions} for name, permissions in CALLERS.items()}


def expected(method: str, caller: str) -> tuple[grpc.StatusCode, str] | None:
    """The refusal of a caller that is known; None: it may."""
    service, _, name = method[1:].partition("/")
    if service != "intercomd.v1.OperationsService":
        return None
    permissions = CALLERS[caller]
    lacks = LEVELS[name] > Level[str(permissions["operations"]).upper()]
    if lacks or (name in EVERYWHERE and permissions.get("connections") != ["*"]):
        return grpc.StatusCode.PERMISSION_DENIED, "OPERATIONS_NOT_ALLOWED"
    if name in OF_ONE_CONNECTION and caller == "nowhere":
        return grpc.StatusCode.PERMISSION_DENIED, "CONNECTION_NOT_ALLOWED"
    return None


REFUSALS = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)
Load = Callable[..., config.Settings]


async def assert_methods(address: str, methods: list[str], credentials: grpc.ChannelCredentials | None = None) -> None:
    """Calls each method with each wrong credential, and as each caller."""
    channel = (
        grpc.aio.insecure_channel(address, OWN)
        if credentials is None
        else grpc.aio.secure_channel(address, credentials, OWN)
    )
    async with channel:
        for method in methods:
            for name, (metadata, reason) in WRONG.items():
                answer = await call(channel, method, metadata)
                if method == CHECK:
                    assert answer.code is grpc.StatusCode.OK, name
                    continue
                assert (answer.code, answer.reason) == (grpc.StatusCode.UNAUTHENTICATED, reason), (method, name)
                assert not [secret for secret in CALLERS if token(secret) in answer.text]
            for caller in CALLERS:
                answer = await call(channel, method, bearer(caller))
                refusal = expected(method, caller)
                if refusal is None:
                    assert answer.code not in REFUSALS, (method, caller)
                else:
                    assert answer[:2] == refusal, (method, caller)


async def test_every_method_needs_a_credential_on_loopback_and_unix(load: Load, tmp_path: Path) -> None:
    tables = {
        "ingest": {"listen": ["127.0.0.1:0", f"unix:{tmp_path / 'ingest.sock'}"]},
        "operations": {"channelz": True, "grpc_listen": f"unix:{tmp_path / 'operations.sock'}"},
        "callers": callers(),
    }
    async with opened(load("http://127.0.0.1:1", **tables)) as listeners:
        for address in listeners.ingest:
            await assert_methods(address, [*INGEST, *COMMON])
        await assert_methods(listeners.operations, [*OPERATIONS, *COMMON])
        counted = {code for _, code, caller in listeners.requests if not caller}
        assert counted == {"UNAUTHENTICATED"}
        assert {caller for _, _, caller in listeners.requests} == {"", *CALLERS}
        known = {method.rpartition("/")[2] for method in (*INGEST, *OPERATIONS)}
        assert {method for method, _, _ in listeners.requests} <= {*known, "other"}


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def files(tmp_path: Path, authority: trustme.CA) -> Files:
    made = Files(tmp_path)
    made.write_client_ca(authority)
    return made


def with_certificates(files: Files) -> dict[str, object]:
    entries = callers()
    for name, entry in entries.items():
        entry["certificate_names"] = [f"spiffe://prod/{name}/*", f"*.{name}.internal"]
    return {"ingest": {"tls": files.table}, "operations": {"tls": files.table, "channelz": True}, "callers": entries}


async def test_certificates_identify_callers_unless_a_token_does(
    load: Load, files: Files, authority: trustme.CA
) -> None:
    """A verified certificate that belongs to no caller is refused. A token decides alone, with any certificate."""
    stranger = files.client(authority, "stranger.internal")
    async with opened(load("http://127.0.0.1:1", **with_certificates(files))) as listeners:
        for address, methods in ((listeners.ingest[0], INGEST), (listeners.operations, OPERATIONS)):
            async with grpc.aio.secure_channel(address, stranger.grpc, OWN) as channel:
                for method in [*methods, *COMMON]:
                    answer = await call(channel, method)
                    refused = (grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID")
                    assert answer[:2] == (refused if method != CHECK else (grpc.StatusCode.OK, "")), (method, answer)
                    assert (await call(channel, method, bearer("all"))).code not in REFUSALS
            for caller in CALLERS:
                client = files.client(authority, f"eu.{caller}.internal")
                async with grpc.aio.secure_channel(address, client.grpc, OWN) as channel:
                    for method in [*methods, *COMMON]:
                        answer = await call(channel, method)
                        refusal = expected(method, caller)
                        assert answer.code not in REFUSALS if refusal is None else answer[:2] == refusal, method
                        if method != CHECK:
                            wrong = await call(channel, method, bearer("nobody"))
                            assert wrong[:2] == (grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID"), (
                                method,
                                wrong,
                            )


async def test_uris_of_a_certificate_identify_callers(
    load: Load, files: Files, authority: trustme.CA, tmp_path: Path
) -> None:
    """As SPIFFE names workloads; the common name and other kinds of names count for nothing."""
    trusted = files.ca.cert_pem.bytes()
    cases = (
        (["spiffe://prod/status/api"], grpc.StatusCode.OK, 200),
        (["spiffe://prod/status/api", "https://example.com"], grpc.StatusCode.OK, 200),
        (["spiffe://prod/none/api"], grpc.StatusCode.PERMISSION_DENIED, 403),
        (["spiffe://prod/status/api/v2"], grpc.StatusCode.UNAUTHENTICATED, 401),
        (["spiffe://staging/status/api"], grpc.StatusCode.UNAUTHENTICATED, 401),
        (["spiffe://prod/status/api", "spiffe://prod/read/api"], grpc.StatusCode.UNAUTHENTICATED, 401),
    )
    async with opened(load("http://127.0.0.1:1", **with_certificates(files))) as listeners:
        for uris, code, status in cases:
            client = uri_client(authority, trusted, *uris)
            async with grpc.aio.secure_channel(listeners.operations, client.grpc, OWN) as channel:
                answer = await call(channel, "/intercomd.v1.OperationsService/GetStatus")
                assert answer.code is code, uris
            context = ssl_context(client, tmp_path)
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
                assert (await page(session, f"https://{listeners.http}/metrics", ()))[0] == status, uris


async def test_certificate_opens_a_watch_and_names_an_unknown_method(
    load: Load, files: Files, authority: trustme.CA
) -> None:
    client = files.client(authority, "eu.all.internal")
    async with (
        opened(load("http://127.0.0.1:1", **with_certificates(files))) as listeners,
        grpc.aio.secure_channel(listeners.ingest[0], client.grpc, OWN) as channel,
    ):
        watch = channel.unary_stream("/grpc.health.v1.Health/Watch")(b"")
        assert await watch.read() is not grpc.aio.EOF
        watch.cancel()
        answer = await call(channel, "/no.such.Service/Method")
        assert answer.code is grpc.StatusCode.UNIMPLEMENTED
        answer = await call(channel, "/grpc.health.v1.Health/Check", request=b"\xff")
        assert answer.code is not grpc.StatusCode.OK
        listed = await call(channel, "/grpc.health.v1.Health/List", request=b"\xff")
        assert listed.code is grpc.StatusCode.INVALID_ARGUMENT


async def test_unix_socket_beside_mutual_tls_needs_a_token(load: Load, files: Files, tmp_path: Path) -> None:
    tables = with_certificates(files)
    tables["ingest"] = {"tls": files.table, "listen": [f"unix:{tmp_path / 'ingest.sock'}"]}
    async with (
        opened(load("http://127.0.0.1:1", **tables)) as listeners,
        grpc.aio.insecure_channel(listeners.ingest[0], OWN) as channel,
    ):
        for method in [*INGEST, *COMMON]:
            answer = await call(channel, method)
            missing = (grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_MISSING")
            assert answer[:2] == (missing if method != CHECK else (grpc.StatusCode.OK, "")), method


PAGES = ("/", "/healthz", "/readyz", "/metrics", "/no-such-page")


async def page(session: aiohttp.ClientSession, url: str, metadata: Metadata) -> tuple[int, str]:
    """The status and the reason of a refusal."""
    headers = [(key.title(), value) for key, value in metadata]
    async with session.get(url, headers=headers) as response:
        body = await response.text()
        assert not [secret for secret in CALLERS if token(secret) in body]
        if response.status == 401:
            assert response.headers["WWW-Authenticate"] == "Bearer"
        return response.status, json.loads(body)["reason"] if response.status in {401, 403} else ""


async def test_http_pages_need_a_credential_but_health_and_readiness(load: Load) -> None:
    async with opened(load("http://127.0.0.1:1", callers=callers())) as listeners, aiohttp.ClientSession() as session:
        for path in PAGES:
            url = f"http://{listeners.http}{path}"
            for name, (metadata, reason) in WRONG.items():
                status = await page(session, url, metadata)
                if path in {"/healthz", "/readyz"}:
                    assert status in {(200, ""), (503, "")}, (path, name)
                else:
                    assert status == (401, reason), (path, name)
            for caller, permissions in CALLERS.items():
                status, reason = await page(session, url, bearer(caller))
                if permissions["operations"] == "none" and path not in {"/healthz", "/readyz"}:
                    assert (status, reason) == (403, "OPERATIONS_NOT_ALLOWED")
                else:
                    assert status in {200, 503} if path != "/no-such-page" else status == 404
            # The health listener is open.
            status, _ = await page(session, f"http://{listeners.health}{path}", ())
            assert status in {200, 503} if path != "/no-such-page" else status == 404


async def test_http_pages_identify_callers_by_certificate(
    load: Load, files: Files, authority: trustme.CA, tmp_path: Path
) -> None:
    async with opened(load("http://127.0.0.1:1", **with_certificates(files))) as listeners:
        for names, status in (
            (("eu.status.internal",), 200),
            (("eu.none.internal",), 403),
            (("stranger.internal",), 401),
            (("eu.status.internal", "eu.read.internal"), 401),
        ):
            context = ssl_context(files.client(authority, *names), tmp_path)
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
                assert (await page(session, f"https://{listeners.http}/metrics", ()))[0] == status, names


async def test_without_callers_a_certificate_publishes_and_operates_nothing(
    load: Load, files: Files, authority: trustme.CA, tmp_path: Path
) -> None:
    client: Client = files.client(authority)
    tables = {"ingest": {"tls": files.table}, "operations": {"tls": files.table}}
    async with opened(load("http://127.0.0.1:1", **tables)) as listeners:
        async with grpc.aio.secure_channel(listeners.ingest[0], client.grpc, OWN) as channel:
            request = ingest_pb2.PreviewRequest(envelopes=[Envelope()]).SerializeToString()
            assert (await call(channel, INGEST[0], request=request)).code not in REFUSALS
        async with grpc.aio.secure_channel(listeners.operations, client.grpc, OWN) as channel:
            for method in (name for name in OPERATIONS if "channelz" not in name):
                answer = await call(channel, method)
                assert answer[:2] == (grpc.StatusCode.PERMISSION_DENIED, "OPERATIONS_NOT_ALLOWED")
            for method in COMMON:
                assert (await call(channel, method)).code not in REFUSALS
        context = ssl_context(client, tmp_path)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
            assert (await page(session, f"https://{listeners.http}/metrics", ()))[0] == 403
            assert (await page(session, f"https://{listeners.http}/readyz", ()))[0] == 503


async def test_insecure_gives_certificate_holders_full_access(load: Load, files: Files, authority: trustme.CA) -> None:
    tables = {"operations": {"tls": files.table, "insecure": True}}
    async with (
        opened(load("http://127.0.0.1:1", **tables)) as listeners,
        grpc.aio.secure_channel(listeners.operations, files.client(authority).grpc, OWN) as channel,
    ):
        request = operations_pb2.GetStatusRequest().SerializeToString()
        answer = await call(channel, "/intercomd.v1.OperationsService/GetStatus", request=request)
        assert answer.code is grpc.StatusCode.OK
