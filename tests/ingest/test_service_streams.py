"""IngestService over a real channel: streams."""

import asyncio

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo

from ingest.acceptance import GatedSpool, RecordingReport
from ingest.server import NOW, RULES, TIMEOUT_SECONDS, Served, envelope, refused
from intercomd.v1 import ingest_pb2 as messages
from intercomd_daemon.ingest.accept import Acceptor
from intercomd_daemon.ingest.decide import decide
from intercomd_daemon.ingest.limits import STREAMS_MAX
from intercomd_daemon.ingest.stream import StreamSession
from intercomd_daemon.ingest.timestamp_allocator import TimestampAllocator
from intercomd_daemon.spool.memory import MemorySpool
from senders.client import converse


def batch(sequence: int, *names: str) -> messages.PublishStreamRequest:
    return messages.PublishStreamRequest(sequence=sequence, envelopes=[envelope(name) for name in names])


async def test_stream_responds_with_each_sequence_in_order(served: Served) -> None:
    call = served.stub.PublishStream(iter([batch(7, "a", "b"), batch(5, "c"), batch(6, "a")]), timeout=TIMEOUT_SECONDS)
    responses = [response async for response in call]
    accepted, duplicate = messages.DISPOSITION_ACCEPTED, messages.DISPOSITION_DUPLICATE
    assert [(response.sequence, [result.disposition for result in response.results]) for response in responses] == [
        (7, [accepted, accepted]),
        (5, [accepted]),
        (6, [duplicate]),
    ]
    assert responses[-1].spool.envelopes == 3
    assert await call.code() is grpc.StatusCode.OK


async def test_stream_ends_at_the_first_refused_message(served: Served, spool: MemorySpool) -> None:
    session = await converse(f"127.0.0.1:{served.port}", [batch(1, "a"), batch(2), batch(3, "c")])
    assert session.refused is not None
    session.refused.must_be_bad("envelopes")
    assert [response.sequence for response in session.answers] == [1]
    assert spool.usage().connections["default"].normal == 1


async def test_full_spool_ends_a_stream(report: RecordingReport) -> None:
    async with Served(GatedSpool(rows_max=1), report) as served:
        call = served.stub.PublishStream(timeout=TIMEOUT_SECONDS)
        await call.write(batch(1, "a"))
        assert (await call.read()).sequence == 1
        await call.write(batch(2, "b"))
        error = await refused(call.read(), grpc.StatusCode.UNAVAILABLE, RetryInfo())
        assert dict(error.trailing_metadata())["grpc-retry-pushback-ms"] == "2000"


async def test_draining_ends_an_open_stream(served: Served) -> None:
    call = served.stub.PublishStream(timeout=TIMEOUT_SECONDS)
    await call.write(batch(1, "a"))
    assert (await call.read()).sequence == 1
    served.service.drain()
    await refused(call.read(), grpc.StatusCode.UNAVAILABLE, RetryInfo())


async def test_wait_idle_waits_for_the_last_open_call(served: Served) -> None:
    await served.service.wait_idle()
    call = served.stub.PublishStream(timeout=TIMEOUT_SECONDS)
    await call.write(batch(1, "a"))
    await call.read()
    answered = asyncio.create_task(served.service.wait_idle())
    await served.stub.Publish(messages.PublishRequest(envelopes=[envelope("b")]), timeout=TIMEOUT_SECONDS)
    assert not answered.done()
    await call.done_writing()
    await answered


async def test_cancelled_stream_is_forgotten(served: Served) -> None:
    call = served.stub.PublishStream(timeout=TIMEOUT_SECONDS)
    await call.write(batch(1, "a"))
    await call.read()
    (session,) = served.service._sessions
    call.cancel()
    await served.service.wait_idle()
    assert session not in served.service._sessions


async def test_streams_and_calls_run_concurrently(served: Served, spool: MemorySpool) -> None:
    async def stream(number: int) -> list[int]:
        batches = iter([batch(sequence, f"{number}/{sequence}") for sequence in range(20)])
        return [response.sequence async for response in served.stub.PublishStream(batches, timeout=TIMEOUT_SECONDS)]

    async def publish(number: int) -> int:
        request = messages.PublishRequest(envelopes=[envelope(f"p/{number}")])
        response = await served.stub.Publish(request, timeout=TIMEOUT_SECONDS)
        return int(response.results[0].disposition)

    streams, calls = await asyncio.gather(
        asyncio.gather(*map(stream, range(5))), asyncio.gather(*map(publish, range(20)))
    )
    assert streams == [list(range(20))] * 5
    assert calls == [messages.DISPOSITION_ACCEPTED] * 20
    assert spool.usage().connections["default"].normal == 120


@pytest.mark.fills("ingest.limits.STREAMS_MAX")
async def test_stream_above_the_limit_is_refused_and_the_others_go_on(served: Served, report: RecordingReport) -> None:
    async def drop(*_: object) -> None:
        """Drops the response."""

    acceptor = Acceptor(RULES, MemorySpool(), TimestampAllocator(), report, lambda: NOW, decide)
    others = {StreamSession(acceptor, drop) for _ in range(STREAMS_MAX - 1)}
    served.service._sessions |= others
    last = served.stub.PublishStream()
    for sequence in (1, 2):
        await last.write(batch(sequence, f"last/{sequence}"))
        assert (await last.read()).sequence == sequence
        detail = RetryInfo()
        call = served.stub.PublishStream(timeout=TIMEOUT_SECONDS)
        await refused(call.read(), grpc.StatusCode.UNAVAILABLE, detail)
        assert detail.retry_delay.seconds == 5
    await last.done_writing()
    assert await last.read() is grpc.aio.EOF
    after = served.stub.PublishStream(iter([batch(7, "after")]), timeout=TIMEOUT_SECONDS)
    assert (await after.read()).sequence == 7
