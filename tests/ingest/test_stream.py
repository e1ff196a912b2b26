"""A stream responds in order, ends at the first refused message, and reads ahead within its limits."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

import pytest

from ingest.acceptance import GatedSpool, RecordingReport, sent
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.errors import RequestRefused, ShuttingDown, SpoolFull
from intercomd_daemon.ingest.accept import Acceptor
from intercomd_daemon.ingest.decide import decide
from intercomd_daemon.ingest.decision import Decision, Disposition
from intercomd_daemon.ingest.decoded import DecodedEnvelope, DecodedRequest
from intercomd_daemon.ingest.limits import STREAM_BYTES_AHEAD, STREAM_MESSAGES_AHEAD
from intercomd_daemon.ingest.stream import StreamSession
from intercomd_daemon.ingest.timestamp_allocator import TimestampAllocator

RULES = {"default": ConnectionSettings(name="default")}
Received = DecodedRequest | RequestRefused


class Client:
    """The client: sends messages, and reads the responses while `reading` is set."""

    def __init__(self, spool: GatedSpool, report: RecordingReport) -> None:
        self.sent = 0
        self.responded: list[int] = []
        self.ahead_most = 0
        self.reading = asyncio.Event()
        self.reading.set()
        self.waited_for = asyncio.Event()
        self.session = StreamSession(
            Acceptor(RULES, spool, TimestampAllocator(), report, lambda: 1_760_000_000.0, decide), self._respond
        )

    async def _respond(self, request: DecodedRequest, results: Sequence[Decision]) -> None:
        await self.reading.wait()
        assert [result.disposition for result in results] == [Disposition.ACCEPTED] * len(request.envelopes)
        self.responded.append(request.sequence)

    async def _messages(self, messages: Sequence[Received], until: int, more: asyncio.Event) -> AsyncIterator[Received]:
        for message in messages:
            self.sent += 1
            self.ahead_most = max(self.ahead_most, self.sent - len(self.responded))
            if self.sent == until:
                self.waited_for.set()
            yield message
        await more.wait()

    async def run(self, messages: Sequence[Received], until: int = 0, more: asyncio.Event | None = None) -> None:
        """Runs the stream to its end; the client closes its side after `more`, or at once without it."""
        over = asyncio.Event()
        over.set()
        await self.session.run(self._messages(messages, until, more or over))


@pytest.fixture
def message() -> Callable[..., DecodedRequest]:
    def make(sequence: int, envelopes: int = 1, size_bytes: int = 100) -> DecodedRequest:
        named = [sent(envelope_id=f"{sequence}/{index}") for index in range(envelopes)]
        return DecodedRequest(named, size_bytes, sequence)

    return make


Message = Callable[..., DecodedRequest]


async def test_stream_responds_in_order(report: RecordingReport, message: Message) -> None:
    spool = GatedSpool()
    client = Client(spool, report)
    await client.run([message(number, envelopes=number % 3 + 1) for number in range(100)])
    assert client.responded == list(range(100))
    assert [name for append in spool.appends for name in append] == [
        f"{number}/{index}" for number in range(100) for index in range(number % 3 + 1)
    ]


async def test_empty_stream_ends_without_an_error(report: RecordingReport) -> None:
    client = Client(GatedSpool(), report)
    await client.run([])
    assert client.responded == []


async def test_messages_read_during_a_commit_share_the_next_one(report: RecordingReport, message: Message) -> None:
    spool = GatedSpool()
    spool.gate.clear()
    client = Client(spool, report)
    talk = asyncio.create_task(client.run([message(number) for number in range(10)], until=10))
    await client.waited_for.wait()
    spool.gate.set()
    await talk
    assert len(spool.appends) < 10
    assert client.responded == list(range(10))


@pytest.mark.fills("ingest.limits.STREAM_MESSAGES_AHEAD")
async def test_stream_reads_at_most_32_messages_ahead(report: RecordingReport, message: Message) -> None:
    spool = GatedSpool()
    spool.gate.clear()
    client = Client(spool, report)
    messages = [message(number) for number in range(100)]
    talk = asyncio.create_task(client.run(messages, until=STREAM_MESSAGES_AHEAD))
    await client.waited_for.wait()
    spool.gate.set()
    await talk
    assert client.ahead_most == STREAM_MESSAGES_AHEAD
    assert max(map(len, spool.appends)) <= STREAM_MESSAGES_AHEAD


async def test_stream_stops_reading_while_responses_are_not_read(report: RecordingReport, message: Message) -> None:
    client = Client(GatedSpool(), report)
    client.reading.clear()
    messages = [message(number) for number in range(100)]
    talk = asyncio.create_task(client.run(messages, until=STREAM_MESSAGES_AHEAD))
    await client.waited_for.wait()
    client.reading.set()
    await talk
    assert client.ahead_most == STREAM_MESSAGES_AHEAD


@pytest.mark.fills("ingest.limits.STREAM_BYTES_AHEAD")
async def test_stream_reads_at_most_four_mebibytes_ahead(report: RecordingReport, message: Message) -> None:
    spool = GatedSpool()
    spool.gate.clear()
    client = Client(spool, report)
    messages = [message(number, size_bytes=STREAM_BYTES_AHEAD // 2) for number in range(9)]
    talk = asyncio.create_task(client.run(messages, until=2))
    await client.waited_for.wait()
    spool.gate.set()
    await talk
    assert client.ahead_most == 2
    assert client.responded == list(range(9))


async def test_refused_message_ends_the_stream_after_earlier_responses(
    report: RecordingReport, message: Message
) -> None:
    spool = GatedSpool()
    client = Client(spool, report)
    messages = [message(0), message(1), RequestRefused("envelopes", "none"), message(3)]
    with pytest.raises(RequestRefused):
        await client.run(messages, more=asyncio.Event())
    assert client.responded == [0, 1]
    assert client.sent == 3


async def test_refused_first_message_ends_the_stream(report: RecordingReport) -> None:
    client = Client(GatedSpool(), report)
    with pytest.raises(RequestRefused):
        await client.run([RequestRefused("envelopes", "none")], more=asyncio.Event())
    assert client.responded == []


class Undecodable(list[DecodedEnvelope]):
    """Envelopes of which one is malformed, found during the iteration."""

    def __iter__(self) -> Iterator[DecodedEnvelope]:
        raise RequestRefused("", "no envelope")


async def test_malformed_envelope_ends_the_stream_after_earlier_responses(
    report: RecordingReport, message: Message
) -> None:
    """Also if it was read together with others: those before it are accepted, and nothing after it."""
    spool = GatedSpool()
    spool.gate.clear()
    client = Client(spool, report)
    messages = [message(0), message(1), DecodedRequest(Undecodable([sent()]), 100, 2), message(3)]
    talk = asyncio.create_task(client.run(messages, until=4, more=asyncio.Event()))
    await client.waited_for.wait()
    spool.gate.set()
    with pytest.raises(RequestRefused):
        await talk
    assert client.responded == [0, 1]
    assert [name for append in spool.appends for name in append] == ["0/0", "1/0"]


async def test_messages_that_fit_are_accepted_up_to_the_first_that_does_not(
    report: RecordingReport, message: Message
) -> None:
    spool = GatedSpool(rows_max=4)
    spool.gate.clear()
    client = Client(spool, report)
    messages = [message(0), message(1, envelopes=2), message(2), message(3), message(4)]
    talk = asyncio.create_task(client.run(messages, until=5, more=asyncio.Event()))
    await client.waited_for.wait()
    spool.gate.set()
    with pytest.raises(SpoolFull):
        await talk
    assert client.responded == [0, 1, 2]
    assert [name for append in spool.appends for name in append] == ["0/0", "1/0", "1/1", "2/0"]


async def test_messages_that_do_not_fit_together_are_accepted_one_by_one(
    report: RecordingReport, message: Message
) -> None:
    spool = GatedSpool(rows_at_once_max=1)
    spool.gate.clear()
    client = Client(spool, report)
    talk = asyncio.create_task(client.run([message(number) for number in range(5)], until=5))
    await client.waited_for.wait()
    spool.gate.set()
    await talk
    assert client.responded == list(range(5))


async def test_message_after_a_refused_one_is_not_accepted(report: RecordingReport, message: Message) -> None:
    spool = GatedSpool(rows_at_once_max=2)
    client = Client(spool, report)
    with pytest.raises(SpoolFull):
        await client.run([message(0), message(1, envelopes=3), message(2)])
    assert client.responded == [0]
    assert [name for append in spool.appends for name in append] == ["0/0"]


async def test_draining_ends_the_stream_after_the_messages_it_read(report: RecordingReport, message: Message) -> None:
    spool = GatedSpool()
    spool.gate.clear()
    client = Client(spool, report)
    talk = asyncio.create_task(client.run([message(0), message(1)], until=2, more=asyncio.Event()))
    await client.waited_for.wait()
    client.session.drain()
    spool.gate.set()
    with pytest.raises(ShuttingDown):
        await talk
    assert client.responded in ([0], [0, 1])


async def test_error_of_the_transport_is_raised(report: RecordingReport, message: Message) -> None:
    async def broken() -> AsyncIterator[Received]:
        yield message(0)
        raise ConnectionResetError("gone")

    client = Client(GatedSpool(), report)
    with pytest.raises(ConnectionResetError):
        await client.session.run(broken())
    assert client.responded == [0]


async def test_cancelled_stream_stops_reading(report: RecordingReport, message: Message) -> None:
    spool = GatedSpool()
    spool.gate.clear()
    client = Client(spool, report)
    talk = asyncio.create_task(client.run([message(0)], until=1, more=asyncio.Event()))
    await client.waited_for.wait()
    talk.cancel()
    with pytest.raises(asyncio.CancelledError):
        await talk
    assert len(asyncio.all_tasks()) == 1
