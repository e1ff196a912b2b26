"""Callers of a daemon: what they may publish and see, and how their tokens are rotated while it runs."""

import asyncio
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo, QuotaFailure, RetryInfo
from google.rpc.status_pb2 import Status

from daemons.process import EXECUTABLE, Daemon, Start, connection_for
from intercomd.v1 import ingest_pb2, ingest_pb2_grpc, operations_pb2, operations_pb2_grpc
from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.ingest_pb2 import PublishRequest, PublishStreamRequest
from intercomd_daemon.rpc.callers import hash_of
from intercomd_daemon.sandbox import Sandbox
from senders.client import converse


@pytest.fixture(scope="session")
def command() -> Sequence[str | Path]:
    """A forked process shares memory, and its figures are not those of users."""
    return EXECUTABLE


def token(name: str) -> str:
    return name.ljust(32, "-")


def bearer(name: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token(name)}"),)


def caller(name: str, **fields: object) -> dict[str, object]:
    return {"token_sha256": [hash_of(token(name))], **fields}


def envelope(customer_id: str, connection: str = "") -> Envelope:
    message = Envelope(connection=connection)
    message.identity.customer_id = customer_id
    message.custom_event.name = "signed-up"
    return message


def reason_of(error: grpc.aio.AioRpcError) -> tuple[str, dict[str, str]]:
    status = Status.FromString(dict(error.trailing_metadata() or ())["grpc-status-details-bin"])
    info = ErrorInfo()
    status.details[0].Unpack(info)
    return info.reason, dict(info.metadata)


async def code_of(call: grpc.aio.Call) -> grpc.StatusCode:
    """Reads a stream to its end."""
    try:
        while await call.read() is not grpc.aio.EOF:
            pass
    except grpc.aio.AioRpcError as error:
        return error.code()
    return await call.code()


@pytest.fixture
async def two(start: Start, sandbox: Sandbox, tmp_path: Path) -> Daemon:
    """A daemon with two connections, a sender for each, and an operator of one of them."""
    return await start(
        connections={"eu": connection_for(sandbox.base_url, tmp_path / "token")},
        callers={
            "shop": caller("shop"),
            "billing": caller("billing", connections=["eu"]),
            "operator": caller("operator", connections=["eu"], operations="write"),
            "root": caller("root", connections=["*"], operations="write"),
        },
    )


async def test_caller_publishes_only_to_its_connections(two: Daemon) -> None:
    """A request with a connection that is not granted is refused as a whole, whether the connection exists or not."""
    for name, connection in (("shop", "eu"), ("shop", "no-such"), ("billing", ""), ("billing", "default")):
        allowed = "" if name == "shop" else "eu"
        request = PublishRequest(envelopes=[envelope("1", allowed), envelope("2", connection)])
        for method, again in ((two.ingest.Publish, request), (two.ingest.Preview, None)):
            body = again or ingest_pb2.PreviewRequest(envelopes=request.envelopes)
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await method(body, metadata=bearer(name))
            assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
            assert reason_of(refused.value) == ("CONNECTION_NOT_ALLOWED", {"connection": connection or "default"})
    status = await two.operations.GetStatus(operations_pb2.GetStatusRequest(), metadata=bearer("root"))
    assert status.spool.envelopes == 0
    answer = await two.ingest.Publish(PublishRequest(envelopes=[envelope("1")]), metadata=bearer("shop"))
    assert [result.disposition for result in answer.results] == [1]
    answer = await two.ingest.Publish(PublishRequest(envelopes=[envelope("1", "no-such")]), metadata=bearer("root"))
    assert answer.results[0].violations[0].reason == "UNKNOWN_CONNECTION"


async def test_stream_answers_what_is_allowed_before_it_is_refused(two: Daemon) -> None:
    messages = [
        PublishStreamRequest(sequence=number, envelopes=[envelope(str(number), connection)])
        for number, connection in enumerate(("", "", "eu", ""))
    ]
    session = await converse(two.ingest_address, messages, bearer("shop"))
    assert [answer.sequence for answer in session.answers] == [0, 1]
    assert session.refused is not None
    assert session.refused.reason == "CONNECTION_NOT_ALLOWED"


async def test_operations_show_the_callers_connections_alone(two: Daemon) -> None:
    await two.ingest.Publish(
        PublishRequest(envelopes=[envelope("1"), envelope("2", "eu")], request_id="r"), metadata=bearer("root")
    )
    await two.ended(["r/0", "r/1"])

    async def listed(name: str, connection: str = "") -> list[tuple[str, str]]:
        request = operations_pb2.ListOutcomesRequest()
        request.filter.connection = connection
        page = await two.operations.ListOutcomes(request, metadata=bearer(name))
        return sorted((outcome.connection, outcome.caller) for outcome in page.outcomes)

    assert await listed("root") == [("default", "root"), ("eu", "root")]
    assert await listed("operator") == await listed("operator", "eu") == [("eu", "root")]
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await listed("operator", "default")
    assert reason_of(refused.value) == ("CONNECTION_NOT_ALLOWED", {"connection": "default"})

    async def trail(name: str, connection: str = "") -> list[tuple[str, str]]:
        request = operations_pb2.ListTrailRequest(envelope_id="r/1", connection=connection)
        page = await two.operations.ListTrail(request, metadata=bearer(name))
        return [(entry.outcome.connection, entry.outcome.caller) for entry in page.entries]

    assert await trail("root") == await trail("operator") == await trail("operator", "eu") == [("eu", "root")]
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await trail("operator", "default")
    assert reason_of(refused.value)[0] == "CONNECTION_NOT_ALLOWED"
    hidden = operations_pb2.ListTrailRequest(envelope_id="r/0")
    assert (await two.operations.ListTrail(hidden, metadata=bearer("root"))).entries
    assert not (await two.operations.ListTrail(hidden, metadata=bearer("operator"))).entries
    for connection in ("default", "no-such", ""):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await two.operations.PauseConnection(
                operations_pb2.PauseConnectionRequest(connection=connection), metadata=bearer("operator")
            )
        assert reason_of(refused.value)[0] == "CONNECTION_NOT_ALLOWED"
    assert two.logged("outcome", caller="root", connection="eu")
    await two.operations.PauseConnection(
        operations_pb2.PauseConnectionRequest(connection="eu"), metadata=bearer("operator")
    )
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await two.operations.Reload(operations_pb2.ReloadRequest(), metadata=bearer("operator"))
    assert reason_of(refused.value)[0] == "OPERATIONS_NOT_ALLOWED"
    await two.operations.Reload(operations_pb2.ReloadRequest(), metadata=bearer("root"))
    await two.ingest.Publish(PublishRequest(envelopes=[Envelope()]), metadata=bearer("shop"))
    await two.heard("rejected", caller="shop")


async def test_rotated_token_is_valid_while_the_daemon_runs(start: Start, tmp_path: Path) -> None:
    """Open streams of a removed token end after their answers."""
    file = tmp_path / "tokens"
    file.write_text(token("first"))
    daemon = await start(callers={"shop": {"token_file": str(file), "operations": "read"}})
    stream = daemon.ingest.PublishStream(metadata=bearer("first"))
    await stream.write(PublishStreamRequest(sequence=1, envelopes=[envelope("1")]))
    assert (await stream.read()).sequence == 1
    watch = daemon.operations.WatchOutcomes(
        operations_pb2.WatchOutcomesRequest(after_sequence=0), metadata=bearer("first")
    )
    assert (await watch.read()).outcome.caller == "shop"

    file.write_text(f"{token('first')}\n{token('second')}\n")
    await daemon.heard("tokens_reloaded")
    for name in ("first", "second"):
        await daemon.ingest.Publish(PublishRequest(envelopes=[envelope("2")]), metadata=bearer(name))
    await stream.write(PublishStreamRequest(sequence=2, envelopes=[envelope("1")]))
    assert (await stream.read()).sequence == 2

    file.write_text("broken")
    assert "is not a token" in (await daemon.heard("tokens_unusable"))["error"]
    await daemon.ingest.Publish(PublishRequest(envelopes=[envelope("3")]), metadata=bearer("first"))
    file.write_text(token("second"))
    await daemon.until(lambda: len(daemon.logged("tokens_reloaded")) == 2)
    for call in (stream, watch):
        assert await code_of(call) is grpc.StatusCode.UNAUTHENTICATED
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await daemon.ingest.Publish(PublishRequest(envelopes=[envelope("4")]), metadata=bearer("first"))
    assert reason_of(refused.value)[0] == "CREDENTIALS_INVALID"
    await daemon.ingest.Publish(PublishRequest(envelopes=[envelope("4")]), metadata=bearer("second"))
    assert not [line for line in daemon.lines if token("first") in str(line) or token("second") in str(line)]


async def test_reload_adds_and_removes_callers(start: Start, tmp_path: Path) -> None:
    daemon = await start()
    stub = ingest_pb2_grpc.IngestServiceStub(daemon.open_channel(daemon.ingest_address))
    await stub.Publish(PublishRequest(envelopes=[envelope("1")]))
    settings = tmp_path / "intercomd.toml"
    before = settings.read_text()
    settings.write_text(f'{before}\n[callers.shop]\ntoken_sha256 = ["{hash_of(token("shop"))}"]\n')
    daemon.signal(signal.SIGHUP)
    assert "callers.shop" in (await daemon.heard("reloaded"))["changed"]
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.Publish(PublishRequest(envelopes=[envelope("1")]))
    assert reason_of(refused.value)[0] == "CREDENTIALS_MISSING"
    stream = stub.PublishStream(metadata=bearer("shop"))
    await stream.write(PublishStreamRequest(sequence=1, envelopes=[envelope("1")]))
    assert (await stream.read()).sequence == 1
    settings.write_text(before)
    daemon.signal(signal.SIGHUP)
    await daemon.until(lambda: len(daemon.logged("reloaded")) == 2)
    assert await code_of(stream) is grpc.StatusCode.UNAUTHENTICATED
    await stub.Publish(PublishRequest(envelopes=[envelope("1")]))
    operations = operations_pb2_grpc.OperationsServiceStub(daemon.open_channel(daemon.operations_address))
    await operations.GetStatus(operations_pb2.GetStatusRequest())


def peak_kib(pid: int) -> int:
    """The most memory that a process has had."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


async def test_refused_requests_are_not_received(start: Start) -> None:
    """48 requests of 15 MiB would be 720 MiB if each were received before it is refused.

    What flow control lets through before the refusal arrives depends on the load of the machine: 50 to 200 MiB.
    """
    daemon = await start(callers={"shop": caller("shop")})
    before = peak_kib(daemon.pid)
    body = bytes(15 << 20)
    publish = daemon.channel.unary_unary("/intercomd.v1.IngestService/Publish")

    async def code(metadata: tuple[tuple[str, str], ...]) -> grpc.StatusCode:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await publish(body, metadata=metadata)
        return refused.value.code()

    codes = await asyncio.gather(*(code(metadata) for metadata in ((), bearer("nobody")) for _ in range(24)))
    assert set(codes) == {grpc.StatusCode.UNAUTHENTICATED}
    assert peak_kib(daemon.pid) - before < 300 << 10


async def refused_by_quota(daemon: Daemon, request: PublishRequest, name: str) -> tuple[str, float]:
    """Publishes until the quota refuses; returns its subject and the seconds to wait."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await daemon.ingest.Publish(request, metadata=bearer(name))
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    trailers = dict(refused.value.trailing_metadata() or ())
    status = Status.FromString(trailers["grpc-status-details-bin"])
    quota, retry = QuotaFailure(), RetryInfo()
    assert status.details[0].Unpack(quota)
    assert status.details[1].Unpack(retry)
    assert int(trailers["grpc-retry-pushback-ms"]) == retry.retry_delay.ToMilliseconds()
    return quota.violations[0].subject, retry.retry_delay.ToMilliseconds() / 1000


async def test_quota_is_overdrawn_by_one_request_and_is_the_callers_own(start: Start) -> None:
    """A bucket holds two seconds: ten requests of a hundred envelopes at one a second cost 998 s."""
    callers = {
        "shop": caller("shop", envelopes_per_second=1),
        "bytes": caller("bytes", bytes_per_second="1KiB"),
        "billing": caller("billing"),
    }
    daemon = await start(callers=callers)
    many = PublishRequest(envelopes=[envelope(str(number)) for number in range(100)])
    start_time = time.monotonic()
    assert len((await daemon.ingest.Publish(many, metadata=bearer("shop"))).results) == 100
    one = PublishRequest(envelopes=[envelope("1")])
    subject, seconds = await refused_by_quota(daemon, one, "shop")
    assert subject == "callers.shop.envelopes_per_second"
    assert 98 - (time.monotonic() - start_time) <= seconds <= 98.1
    # Refused requests take no envelopes: the time only gets shorter.
    assert (await refused_by_quota(daemon, many, "shop"))[1] <= seconds
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await daemon.ingest.Preview(ingest_pb2.PreviewRequest(envelopes=[envelope("1")]), metadata=bearer("shop"))
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    await daemon.ingest.Publish(many, metadata=bearer("billing"))

    # Malformed requests count their bytes.
    publish = daemon.channel.unary_unary("/intercomd.v1.IngestService/Publish")
    start_time = time.monotonic()
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await publish(b"\xff" * 100_000, metadata=bearer("bytes"))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    subject, seconds = await refused_by_quota(daemon, one, "bytes")
    assert subject == "callers.bytes.bytes_per_second"
    assert 95 - (time.monotonic() - start_time) <= seconds <= 96


async def test_quota_slows_a_stream_and_does_not_end_it(start: Start) -> None:
    """After a large message nothing more is read for longer than the test lasts, and nothing is refused."""
    daemon = await start(
        callers={"shop": caller("shop", envelopes_per_second=10), "slow": caller("slow", envelopes_per_second=1)}
    )
    stream = daemon.ingest.PublishStream(metadata=bearer("shop"))
    for sequence in range(1, 41):
        await stream.write(PublishStreamRequest(sequence=sequence, envelopes=[envelope("1")]))
    await stream.done_writing()
    assert [(await stream.read()).sequence for _ in range(40)] == [*range(1, 41)]
    assert await stream.read() is grpc.aio.EOF

    many = [envelope(str(number)) for number in range(200)]
    stream = daemon.ingest.PublishStream(metadata=bearer("slow"))
    await stream.write(PublishStreamRequest(sequence=1, envelopes=many))
    assert (await stream.read()).sequence == 1
    await stream.write(PublishStreamRequest(sequence=2, envelopes=[envelope("1")]))
    waiting = asyncio.ensure_future(stream.read())
    done, _ = await asyncio.wait({waiting}, timeout=0.5)
    assert not done
    stream.cancel()
    await asyncio.wait({waiting})


async def test_reload_narrows_an_open_watch(start: Start, sandbox: Sandbox, tmp_path: Path) -> None:
    """What a caller may no longer see is not sent any more; a caller without the level loses its watch."""
    eu = {"eu": connection_for(sandbox.base_url, tmp_path / "token")}
    daemon = await start(connections=eu, callers={"root": caller("root", connections=["*"], operations="write")})
    settings = tmp_path / "intercomd.toml"
    watch = daemon.operations.WatchOutcomes(
        operations_pb2.WatchOutcomesRequest(after_sequence=0), metadata=bearer("root")
    )
    await daemon.ingest.Publish(PublishRequest(envelopes=[envelope("1")]), metadata=bearer("root"))
    assert (await watch.read()).outcome.connection == "default"

    async def reload(before: str, after: str) -> None:
        text = settings.read_text()
        assert before in text
        settings.write_text(text.replace(before, after))
        reloads = len(daemon.logged("reloaded"))
        daemon.signal(signal.SIGHUP)
        await daemon.until(lambda: len(daemon.logged("reloaded")) > reloads)

    await daemon.ingest.Publish(PublishRequest(envelopes=[envelope("2", "eu")]), metadata=bearer("root"))
    assert (await watch.read()).outcome.connection == "eu"
    await reload('connections = ["*"]', 'connections = ["default", "eu"]')
    await reload('connections = ["default", "eu"]', 'connections = ["eu"]')
    await daemon.ingest.Publish(PublishRequest(envelopes=[envelope("3", "eu")]), metadata=bearer("root"))
    assert (await watch.read()).outcome.connection == "eu"
    await reload('operations = "write"', 'operations = "none"')
    await daemon.ingest.Publish(PublishRequest(envelopes=[envelope("4", "eu")]), metadata=bearer("root"))
    assert await code_of(watch) is grpc.StatusCode.PERMISSION_DENIED
