"""IngestService over a real channel."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import Self

import grpc
import pytest
from accepting import GatedSpool, Told
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status

from intercomd.v1 import event_pb2, identity_pb2
from intercomd.v1 import ingest_pb2 as messages
from intercomd.v1.envelope_pb2 import Envelope
from intercomd.v1.ingest_pb2_grpc import IngestServiceStub
from intercomd_daemon.envelope import AcceptedEnvelope, Priority
from intercomd_daemon.errors import NotNow
from intercomd_daemon.ingest.accept import Acceptor
from intercomd_daemon.ingest.limits import HELD_BYTES_MAX, STREAMS_MAX, ConnectionRules, RequestLimits
from intercomd_daemon.ingest.seconds import Seconds
from intercomd_daemon.ingest.service import SERVICE, IngestService
from intercomd_daemon.ingest.stream import Conversation
from intercomd_daemon.spool.base import Intake
from intercomd_daemon.spool.memory import MemorySpool
from intercomd_daemon.spool.record import unpack

NOW = 1_760_000_000.5
LIMITS = RequestLimits()
RULES = {"default": ConnectionRules(name="default")}
TIMEOUT_SECONDS = 20
OPTIONS = [("grpc.max_receive_message_length", 4 * LIMITS.request_bytes_max), ("grpc.max_send_message_length", -1)]


def preview(connection: str, envelope: AcceptedEnvelope) -> list[tuple[str, str, str]]:
    return [("POST", "/events", f'{{"{connection}":"{event.name}"}}') for event in envelope.events]


class Served:
    """A service that listens, and a client of it."""

    def __init__(self, spool: Intake, told: Told) -> None:
        acceptor = Acceptor(RULES, spool, Seconds(), told, lambda: NOW)
        self.service = IngestService(acceptor, preview, spool.usage, LIMITS, lambda: NOW)
        self.server = grpc.aio.server(options=OPTIONS)
        self.service.add_to(self.server)
        self.port = self.server.add_insecure_port("127.0.0.1:0")

    async def __aenter__(self) -> Self:
        await self.server.start()
        self.channel = grpc.aio.insecure_channel(f"127.0.0.1:{self.port}", options=OPTIONS)
        self.stub = IngestServiceStub(self.channel)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.channel.close()
        await self.server.stop(None)

    def raw(self, method: str, data: bytes) -> Awaitable[bytes]:
        """A call with bytes of one's own."""
        return self.channel.unary_unary(f"/{SERVICE}/{method}")(data, timeout=TIMEOUT_SECONDS)


@pytest.fixture
def spool() -> MemorySpool:
    return MemorySpool()


@pytest.fixture
async def served(spool: MemorySpool, told: Told) -> AsyncIterator[Served]:
    async with Served(spool, told) as served:
        yield served


def envelope(name: str = "", **given: object) -> Envelope:
    fields = {
        "identity": identity_pb2.Identity(customer_id="u-1"),
        "event_time": {"seconds": int(NOW) - 50},
        "custom_event": event_pb2.CustomEvent(name="Order placed"),
    }
    return Envelope(envelope_id=name, **fields | given)


async def refused(call: Awaitable[object], code: grpc.StatusCode, detail: Message) -> grpc.aio.AioRpcError:
    """The error that a call ends with, its detail unpacked into `detail`."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    status = Status.FromString(dict(error.value.trailing_metadata())["grpc-status-details-bin"])
    assert (error.value.code(), status.code, status.message) == (code, code.value[0], error.value.details())
    assert status.details[0].Unpack(detail)
    return error.value


async def test_what_is_published_is_in_the_spool_and_answered(served: Served, spool: MemorySpool, told: Told) -> None:
    request = messages.PublishRequest(
        request_id="r", envelopes=[envelope("a"), envelope(), envelope("c", identity=None), envelope("a")]
    )
    response = await served.stub.Publish(request, timeout=TIMEOUT_SECONDS)
    assert [(result.envelope_id, result.disposition) for result in response.results] == [
        ("a", messages.DISPOSITION_ACCEPTED),
        ("r/1", messages.DISPOSITION_ACCEPTED),
        ("c", messages.DISPOSITION_REJECTED),
        ("a", messages.DISPOSITION_DUPLICATE),
    ]
    assert response.results[0].event_time.seconds == int(NOW) - 50
    assert response.spool.envelopes == 2
    assert 0 < response.spool.fill_ratio < 1
    assert response.spool.oldest_age.ToMilliseconds() == 0
    batch = await spool.read("default", Priority.NORMAL, 0, 10, 1 << 20)
    first = unpack(batch.rows[0].data, AcceptedEnvelope)
    assert first.source == request.envelopes[0].SerializeToString()
    assert len(told.batches) == 1


async def test_a_repeated_request_is_recognised_by_its_id(served: Served) -> None:
    request = messages.PublishRequest(request_id="r", envelopes=[envelope(), envelope()])
    await served.stub.Publish(request, timeout=TIMEOUT_SECONDS)
    again = await served.stub.Publish(request, timeout=TIMEOUT_SECONDS)
    assert {result.disposition for result in again.results} == {messages.DISPOSITION_DUPLICATE}


async def test_without_any_id_the_daemon_makes_one(served: Served) -> None:
    request = messages.PublishRequest(envelopes=[envelope()])
    responses = [await served.stub.Publish(request, timeout=TIMEOUT_SECONDS) for _ in range(2)]
    names = [response.results[0].envelope_id for response in responses]
    assert names[0] < names[1]
    assert [len(name) for name in names] == [36, 36]
    assert {response.results[0].disposition for response in responses} == {messages.DISPOSITION_ACCEPTED}


@pytest.mark.parametrize("method", ["Publish", "Preview"])
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xff\xff",
        b"\x12\x03\x0a\x01\xff",
        b"\x0a\x03\x0a\x01\xff",
        b"\x12\x00" * 501 + b"\x0a\x00" * 501,
        bytes(4 * 1024 * 1024 + 1),
    ],
    ids=["empty", "no protobuf", "no UTF-8", "no UTF-8 either", "501 envelopes", "too many bytes"],
)
async def test_what_is_no_request_is_the_callers_fault(served: Served, method: str, data: bytes) -> None:
    detail = BadRequest()
    await refused(served.raw(method, data), grpc.StatusCode.INVALID_ARGUMENT, detail)
    assert detail.field_violations[0].description


async def test_a_full_spool_asks_for_patience_and_still_looks(told: Told) -> None:
    async with Served(GatedSpool(rows_max=0), told) as served:
        request = messages.PublishRequest(envelopes=[envelope("a")])
        detail = RetryInfo()
        error = await refused(served.stub.Publish(request), grpc.StatusCode.UNAVAILABLE, detail)
        assert detail.retry_delay.seconds == 2
        assert dict(error.trailing_metadata())["grpc-retry-pushback-ms"] == "2000"
        request.validate_only = True
        response = await served.stub.Publish(request, timeout=TIMEOUT_SECONDS)
        assert response.results[0].disposition == messages.DISPOSITION_ACCEPTED
        previewed = await served.stub.Preview(messages.PreviewRequest(envelopes=[envelope()]), timeout=TIMEOUT_SECONDS)
        assert previewed.previews[0].result.disposition == messages.DISPOSITION_ACCEPTED


async def test_validating_writes_nothing(served: Served, told: Told) -> None:
    request = messages.PublishRequest(envelopes=[envelope("a"), envelope("a")], validate_only=True)
    response = await served.stub.Publish(request, timeout=TIMEOUT_SECONDS)
    assert [result.disposition for result in response.results] == [messages.DISPOSITION_ACCEPTED] * 2
    assert response.spool.envelopes == 0
    assert told.batches == []


async def test_a_preview_shows_the_requests_of_what_would_be_accepted(served: Served) -> None:
    request = messages.PreviewRequest(envelopes=[envelope(), envelope(identity=None)])
    response = await served.stub.Preview(request, timeout=TIMEOUT_SECONDS)
    assert [list(preview.requests) for preview in response.previews] == [
        [messages.HttpRequest(method="POST", path="/events", json_body='{"default":"Order placed"}')],
        [],
    ]


async def test_draining_refuses_new_requests(served: Served) -> None:
    served.service.drain()
    publish = messages.PublishRequest(envelopes=[envelope()])
    look = messages.PreviewRequest(envelopes=[envelope()])
    await refused(served.stub.Publish(publish), grpc.StatusCode.UNAVAILABLE, RetryInfo())
    await refused(served.stub.Preview(look), grpc.StatusCode.UNAVAILABLE, RetryInfo())
    await refused(served.stub.PublishStream(iter(())).read(), grpc.StatusCode.UNAVAILABLE, RetryInfo())


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
    await served.service.answered()
    call = served.stub.PublishStream(timeout=TIMEOUT_SECONDS)
    await call.write(batch(1, "a"))
    await call.read()
    answered = asyncio.create_task(served.service.answered())
    await served.stub.Publish(messages.PublishRequest(envelopes=[envelope("b")]), timeout=TIMEOUT_SECONDS)
    assert not answered.done()
    await call.done_writing()
    await answered


async def test_a_stream_whose_client_goes_away_is_forgotten(served: Served) -> None:
    call = served.stub.PublishStream(timeout=TIMEOUT_SECONDS)
    await call.write(batch(1, "a"))
    await call.read()
    (conversation,) = served.service._conversations
    call.cancel()
    await served.service.answered()
    assert conversation not in served.service._conversations


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


def test_the_service_has_the_name_that_reflection_asks_for() -> None:
    assert SERVICE == "intercomd.v1.IngestService"


@pytest.mark.fills("ingest.limits.HELD_BYTES_MAX")
def test_the_bytes_of_requests_that_wait_for_their_commit_are_bounded(spool: MemorySpool, told: Told) -> None:
    acceptor = Acceptor(RULES, spool, Seconds(), told, lambda: NOW)
    service = IngestService(acceptor, preview, spool.usage, LIMITS, lambda: NOW)
    with service._hold(HELD_BYTES_MAX + 1):
        pass  # One alone is never too large.
    with service._hold(HELD_BYTES_MAX - 10), service._hold(10):
        with pytest.raises(NotNow) as refused, service._hold(1):
            pass
        assert refused.value.retry_seconds == 1.0
    with service._hold(HELD_BYTES_MAX):
        pass


@pytest.mark.fills("ingest.limits.STREAMS_MAX")
async def test_a_stream_too_many_is_told_to_come_again_and_the_others_go_on(served: Served, told: Told) -> None:
    async def unheard(*_: object) -> None:
        """An answer that nobody reads."""

    acceptor = Acceptor(RULES, MemorySpool(), Seconds(), told, lambda: NOW)
    others = {Conversation(acceptor, unheard) for _ in range(STREAMS_MAX - 1)}
    served.service._conversations |= others
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
