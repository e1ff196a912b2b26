"""IngestService over a real channel: streams."""

import asyncio

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, RetryInfo

from ingest.acceptance import GatedSpool, Told
from ingest.server import NOW, RULES, TIMEOUT_SECONDS, Served, envelope, refused
from intercomd.v1 import ingest_pb2 as messages
from intercomd_daemon.ingest.accept import Acceptor
from intercomd_daemon.ingest.limits import STREAMS_MAX
from intercomd_daemon.ingest.stream import StreamSession
from intercomd_daemon.ingest.timestamp_allocator import TimestampAllocator
from intercomd_daemon.spool.memory import MemorySpool


def batch(sequence: int, *names: str) -> messages.PublishStreamRequest:
    return messages.PublishStreamRequest(sequence=sequence, envelopes=[envelope(name) for name in names])


async def test_a_stream_is_answered_by_sequence_in_order(served: Served) -> None:
    call = served.stub.PublishStream(iter([batch(7, "a", "b"), batch(5, "c"), batch(6, "a")]), timeout=TIMEOUT_SECONDS)
    answers = [answer async for answer in call]
    accepted, duplicate = messages.DISPOSITION_ACCEPTED, messages.DISPOSITION_DUPLICATE
    assert [(answer.sequence, [result.disposition for result in answer.results]) for answer in answers] == [
        (7, [accepted, accepted]),
        (5, [accepted]),
        (6, [duplicate]),
    ]
    assert answers[-1].spool.envelopes == 3
    assert await call.code() is grpc.StatusCode.OK


async def test_a_stream_ends_at_the_first_refused_message(served: Served, spool: MemorySpool) -> None:
    call = served.stub.PublishStream(iter([batch(1, "a"), batch(2), batch(3, "c")]), timeout=TIMEOUT_SECONDS)
    answers = []

    async def listen() -> None:
        async for answer in call:
            answers.append(answer.sequence)  # noqa: PERF401 - what came before the error counts

    await refused(listen(), grpc.StatusCode.INVALID_ARGUMENT, BadRequest())
    assert answers == [1]
    assert spool.usage().connections["default"].normal == 1


async def test_a_full_spool_ends_a_stream(told: Told) -> None:
    async with Served(GatedSpool(rows_max=1), told) as served:
        call = served.stub.PublishStream(timeout=TIMEOUT_SECONDS)
        await call.write(batch(1, "a"))
        assert (await call.read()).sequence == 1
        await call.write(batch(2, "b"))
        error = await refused(call.read(), grpc.StatusCode.UNAVAILABLE, RetryInfo())
        assert dict(error.trailing_metadata())["grpc-retry-pushback-ms"] == "2000"


async def test_draining_ends_a_stream_that_is_open(served: Served) -> None:
    call = served.stub.PublishStream(timeout=TIMEOUT_SECONDS)
    await call.write(batch(1, "a"))
    assert (await call.read()).sequence == 1
    served.service.drain()
    await refused(call.read(), grpc.StatusCode.UNAVAILABLE, RetryInfo())


async def test_all_is_answered_when_the_last_open_call_has_ended(served: Served) -> None:
    await served.service.wait_idle()
    call = served.stub.PublishStream(timeout=TIMEOUT_SECONDS)
    await call.write(batch(1, "a"))
    await call.read()
    answered = asyncio.create_task(served.service.wait_idle())
    await served.stub.Publish(messages.PublishRequest(envelopes=[envelope("b")]), timeout=TIMEOUT_SECONDS)
    assert not answered.done()
    await call.done_writing()
    await answered


async def test_a_stream_whose_client_goes_away_is_forgotten(served: Served) -> None:
    call = served.stub.PublishStream(timeout=TIMEOUT_SECONDS)
    await call.write(batch(1, "a"))
    await call.read()
    (session,) = served.service._sessions
    call.cancel()
    await served.service.wait_idle()
    assert session not in served.service._sessions


async def test_many_streams_and_calls_go_side_by_side(served: Served, spool: MemorySpool) -> None:
    async def stream(number: int) -> list[int]:
        batches = iter([batch(sequence, f"{number}/{sequence}") for sequence in range(20)])
        return [answer.sequence async for answer in served.stub.PublishStream(batches, timeout=TIMEOUT_SECONDS)]

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
async def test_a_stream_too_many_is_told_to_come_again_and_the_others_go_on(served: Served, told: Told) -> None:
    async def unheard(*_: object) -> None:
        """An answer that nobody reads."""

    acceptor = Acceptor(RULES, MemorySpool(), TimestampAllocator(), told, lambda: NOW)
    others = {StreamSession(acceptor, unheard) for _ in range(STREAMS_MAX - 1)}
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
