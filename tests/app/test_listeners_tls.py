"""TLS over real connections: who gets in, and how certificates are replaced while calls are made."""

import asyncio
from pathlib import Path

import aiohttp
import grpc
import trustme
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import CollectorRegistry

from intercomd_daemon.app.listeners import GrpcListener, open_ingest, open_operations
from intercomd_daemon.ingest.settings import IngestSettings
from intercomd_daemon.operations.settings import HealthSettings, OperationsSettings
from intercomd_daemon.rpc.tls import ServerTls
from listeners import Starting, ingest_service, operations_service, security_of
from tls.certificates import Client, Files, ssl_context

OWN = [("grpc.use_local_subchannel_pool", 1)]


async def check(channel: grpc.aio.Channel) -> int:
    answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=60)
    return int(answer.status)


async def gets_in(address: str, client: Client | None) -> bool:
    """Returns whether a new connection can make a call; None: without TLS."""
    channel = (
        grpc.aio.insecure_channel(address, OWN)
        if client is None
        else grpc.aio.secure_channel(address, client.grpc, OWN)
    )
    async with channel:
        try:
            await check(channel)
        except grpc.aio.AioRpcError as error:
            return error.code() is not grpc.StatusCode.UNAVAILABLE
    return True


async def opened(tls: ServerTls, *addresses: str) -> GrpcListener:
    tls.load()
    settings = IngestSettings(listen=addresses or ("127.0.0.1:0",))
    return await open_ingest(ingest_service(), settings, security_of(tls))


async def test_every_tcp_address_needs_tls_and_unix_sockets_do_not(tmp_path: Path) -> None:
    files = Files(tmp_path)
    unix = f"unix:{tmp_path / 'ingest.sock'}"
    listener = await opened(ServerTls(files.settings), "127.0.0.1:0", "localhost:0", unix)
    for address in listener.addresses[:2]:
        assert await gets_in(address, files.client())
        assert not await gets_in(address, None)
        assert not await gets_in(address, Files(tmp_path, trustme.CA()).client())
    assert await gets_in(unix, None)
    await listener.close(None)


async def test_client_ca_lets_only_its_certificates_in(tmp_path: Path) -> None:
    files, authority, other = Files(tmp_path), trustme.CA(), trustme.CA()
    files.write_client_ca(authority)
    tls = ServerTls(files.settings)
    listener = await opened(tls)
    address = listener.addresses[0]
    assert await gets_in(address, files.client(authority))
    assert not await gets_in(address, files.client(other))
    assert not await gets_in(address, files.client())
    assert not await gets_in(address, None)

    files.write_client_ca(other)
    assert tls.refresh()
    assert await gets_in(address, files.client(other))
    assert not await gets_in(address, files.client(authority))
    await listener.close(None)


async def test_certificates_are_replaced_under_load_without_a_failed_call(tmp_path: Path) -> None:
    """Every address follows each of several replacements, and connections that are open stay open."""
    asyncio.get_running_loop().set_debug(enabled=False)
    first, second = trustme.CA(), trustme.CA()
    files = Files(tmp_path, first)
    tls = ServerTls(files.settings)
    listener = await opened(tls, "127.0.0.1:0", "127.0.0.1:0")
    both = Client(first.cert_pem.bytes() + second.cert_pem.bytes())
    done = asyncio.Event()

    async def old_connection(address: str, connected: asyncio.Event) -> None:
        async with grpc.aio.secure_channel(address, files.client().grpc, OWN) as channel:
            while not done.is_set():
                await check(channel)
                connected.set()

    async def new_connections(address: str) -> None:
        while not done.is_set():
            assert await gets_in(address, both)

    async with asyncio.TaskGroup() as tasks:
        for address in listener.addresses:
            connected = asyncio.Event()
            tasks.create_task(old_connection(address, connected))
            await connected.wait()
            tasks.create_task(new_connections(address))
        for authority in (second, first, second):
            files.write_pair(authority)
            assert tls.refresh()
            for address in listener.addresses:
                assert await gets_in(address, Client(authority.cert_pem.bytes()))
                other = first if authority is second else second
                assert not await gets_in(address, Client(other.cert_pem.bytes()))
        done.set()
    await listener.close(None)


async def test_http_pages_follow_certificates_and_client_cas(tmp_path: Path) -> None:
    files, authority, other = Files(tmp_path), trustme.CA(), trustme.CA()
    files.write_client_ca(authority)
    tls = ServerTls(files.settings)
    tls.load()
    listeners = await open_operations(
        Starting(),
        operations_service(),
        OperationsSettings(listen="127.0.0.1:0", grpc_listen="127.0.0.1:0"),
        HealthSettings(listen=("127.0.0.1:0",)),
        CollectorRegistry(),
        security_of(tls),
    )

    async def answers(session: aiohttp.ClientSession) -> bool:
        try:
            async with session.get(f"https://{listeners.http_address}/healthz") as response:
                return response.status == 200
        except (aiohttp.ClientError, ConnectionError):
            return False

    async def page(client: Client) -> bool:
        connector = aiohttp.TCPConnector(ssl=ssl_context(client, tmp_path), force_close=True)
        async with aiohttp.ClientSession(connector=connector) as session:
            return await answers(session)

    open_connection = aiohttp.TCPConnector(ssl=ssl_context(files.client(authority), tmp_path))
    async with aiohttp.ClientSession(connector=open_connection) as session:
        assert await answers(session)
        assert not await page(files.client(other))
        assert not await page(files.client())
        files.write_client_ca(other)
        files.write_pair()
        assert tls.refresh()
        assert await page(files.client(other))
        assert not await page(files.client(authority))
        assert await answers(session)
    assert await gets_in(listeners.grpc_address, files.client(other))
    assert not await gets_in(listeners.grpc_address, files.client(authority))
    async with aiohttp.ClientSession() as session, session.get(f"http://{listeners.health_addresses[0]}/healthz") as ok:
        assert ok.status == 200
    await listeners.close()
