"""A stream is answered in order, ends at the first message that is refused, and reads ahead within its limit."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

import pytest

from ingest.acceptance import GatedSpool, Told, sent
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.errors import RequestRefused, ShuttingDown, SpoolFull
from intercomd_daemon.ingest.accept import Acceptor
from intercomd_daemon.ingest.decision import Decision, Disposition
from intercomd_daemon.ingest.decoded import DecodedEnvelope, Request
from intercomd_daemon.ingest.limits import STREAM_BYTES_AHEAD, STREAM_MESSAGES_AHEAD
from intercomd_daemon.ingest.stream import StreamSession
from intercomd_daemon.ingest.timestamp_allocator import TimestampAllocator

RULES = {"default": ConnectionSettings(name="default")}
Received = Request | RequestRefused


class Client:
    """The other end: sends messages, and reads the answers when it is let."""

    def __init__(self, spool: GatedSpool, told: Told) -> None:
        self.sent = 0
        self.answered: list[int] = []
        self.ahead_most = 0
        self.reading = asyncio.Event()
        self.reading.set()
        self.waited_for = asyncio.Event()
        self.session = StreamSession(
            Acceptor(RULES, spool, TimestampAllocator(), told, lambda: 1_760_000_000.0), self._answer
        )

    async def _answer(self, request: Request, results: Sequence[Decision]) -> None:
        await self.reading.wait()
        assert [result.disposition for result in results] == [Disposition.ACCEPTED] * len(request.envelopes)
        self.answered.append(request.sequence)

    async def _messages(self, messages: Sequence[Received], until: int, more: asyncio.Event) -> AsyncIterator[Received]:
        for message in messages:
            self.sent += 1
            self.ahead_most = max(self.ahead_most, self.sent - len(self.answered))
            if self.sent == until:
                self.waited_for.set()
            yield message
        await more.wait()

    async def talk(self, messages: Sequence[Received], until: int = 0, more: asyncio.Event | None = None) -> None:
        """Ends when the stream does; without `more` the client has no further messages."""
        over = asyncio.Event()
        over.set()
        await self.session.run(self._messages(messages, until, more or over))


@pytest.fixture
def message() -> Callable[..., Request]:
    def make(sequence: int, envelopes: int = 1, size_bytes: int = 100) -> Request:
        named = [sent(envelope_id=f"{sequence}/{index}") for index in range(envelopes)]
        return Request(named, size_bytes, sequence)

    return make


Message = Callable[..., Request]


async def test_messages_are_answered_in_their_order(told: Told, message: Message) -> None:
    spool = GatedSpool()
    client = Client(spool, told)
    await client.talk([message(number, envelopes=number % 3 + 1) for number in range(100)])
    assert client.answered == list(range(100))
    assert [name for append in spool.appends for name in append] == [
        f"{number}/{index}" for number in range(100) for index in range(number % 3 + 1)
    ]


async def test_a_stream_without_a_message_ends_well(told: Told) -> None:
    client = Client(GatedSpool(), told)
    await client.talk([])
    assert client.answered == []


async def test_what_came_during_a_commit_makes_the_next_one(told: Told, message: Message) -> None:
    spool = GatedSpool()
    spool.gate.clear()
    client = Client(spool, told)
    talk = asyncio.create_task(client.talk([message(number) for number in range(10)], until=10))
    await client.waited_for.wait()
    spool.gate.set()
    await talk
    assert len(spool.appends) < 10
    assert client.answered == list(range(10))


@pytest.mark.fills("ingest.limits.STREAM_MESSAGES_AHEAD")
async def test_messages_are_read_ahead_of_their_answers_up_to_32(told: Told, message: Message) -> None:
    spool = GatedSpool()
    spool.gate.clear()
    client = Client(spool, told)
    messages = [message(number) for number in range(100)]
    talk = asyncio.create_task(client.talk(messages, until=STREAM_MESSAGES_AHEAD))
    await client.waited_for.wait()
    spool.gate.set()
    await talk
    assert client.ahead_most == STREAM_MESSAGES_AHEAD
    assert max(map(len, spool.appends)) <= STREAM_MESSAGES_AHEAD


async def test_when_answers_are_not_read_reading_stops(told: Told, message: Message) -> None:
    client = Client(GatedSpool(), told)
    client.reading.clear()
    messages = [message(number) for number in range(100)]
    talk = asyncio.create_task(client.talk(messages, until=STREAM_MESSAGES_AHEAD))
    await client.waited_for.wait()
    client.reading.set()
    await talk
    assert client.ahead_most == STREAM_MESSAGES_AHEAD


@pytest.mark.fills("ingest.limits.STREAM_BYTES_AHEAD")
async def test_four_mebibytes_are_read_ahead_at_most(told: Told, message: Message) -> None:
    spool = GatedSpool()
    spool.gate.clear()
    client = Client(spool, told)
    messages = [message(number, size_bytes=STREAM_BYTES_AHEAD // 2) for number in range(9)]
    talk = asyncio.create_task(client.talk(messages, until=2))
    await client.waited_for.wait()
    spool.gate.set()
    await talk
    assert client.ahead_most == 2
    assert client.answered == list(range(9))


async def test_a_refused_message_ends_the_stream_after_the_answers_before_it(told: Told, message: Message) -> None:
    spool = GatedSpool()
    client = Client(spool, told)
    messages = [message(0), message(1), RequestRefused("envelopes", "none"), message(3)]
    with pytest.raises(RequestRefused):
        await client.talk(messages, more=asyncio.Event())
    assert client.answered == [0, 1]
    assert client.sent == 3


async def test_the_first_message_may_be_the_refused_one(told: Told) -> None:
    client = Client(GatedSpool(), told)
    with pytest.raises(RequestRefused):
        await client.talk([RequestRefused("envelopes", "none")], more=asyncio.Event())
    assert client.answered == []


class Undecodable(list[DecodedEnvelope]):
    """Envelopes of which one turns out to be none when it is asked for."""

    def __iter__(self) -> Iterator[DecodedEnvelope]:
        raise RequestRefused("", "no envelope")


async def test_an_envelope_that_is_none_ends_the_stream_after_the_answers_before_it(
    told: Told, message: Message
) -> None:
    """Also where it was read together with others: these are taken, and nothing after it."""
    spool = GatedSpool()
    spool.gate.clear()
    client = Client(spool, told)
    messages = [message(0), message(1), Request(Undecodable([sent()]), 100, 2), message(3)]
    talk = asyncio.create_task(client.talk(messages, until=4, more=asyncio.Event()))
    await client.waited_for.wait()
    spool.gate.set()
    with pytest.raises(RequestRefused):
        await talk
    assert client.answered == [0, 1]
    assert [name for append in spool.appends for name in append] == ["0/0", "1/0"]


async def test_what_fits_is_taken_one_by_one_up_to_the_message_that_does_not(told: Told, message: Message) -> None:
    spool = GatedSpool(rows_max=4)
    spool.gate.clear()
    client = Client(spool, told)
    messages = [message(0), message(1, envelopes=2), message(2), message(3), message(4)]
    talk = asyncio.create_task(client.talk(messages, until=5, more=asyncio.Event()))
    await client.waited_for.wait()
    spool.gate.set()
    with pytest.raises(SpoolFull):
        await talk
    assert client.answered == [0, 1, 2]
    assert [name for append in spool.appends for name in append] == ["0/0", "1/0", "1/1", "2/0"]


async def test_what_fits_one_by_one_is_taken_one_by_one(told: Told, message: Message) -> None:
    spool = GatedSpool(rows_at_once_max=1)
    spool.gate.clear()
    client = Client(spool, told)
    talk = asyncio.create_task(client.talk([message(number) for number in range(5)], until=5))
    await client.waited_for.wait()
    spool.gate.set()
    await talk
    assert client.answered == list(range(5))


async def test_a_message_after_the_one_that_did_not_fit_is_not_taken_though_it_would(
    told: Told, message: Message
) -> None:
    spool = GatedSpool(rows_at_once_max=2)
    client = Client(spool, told)
    with pytest.raises(SpoolFull):
        await client.talk([message(0), message(1, envelopes=3), message(2)])
    assert client.answered == [0]
    assert [name for append in spool.appends for name in append] == ["0/0"]


async def test_draining_ends_the_stream_after_what_was_read(told: Told, message: Message) -> None:
    spool = GatedSpool()
    spool.gate.clear()
    client = Client(spool, told)
    talk = asyncio.create_task(client.talk([message(0), message(1)], until=2, more=asyncio.Event()))
    await client.waited_for.wait()
    client.session.drain()
    spool.gate.set()
    with pytest.raises(ShuttingDown):
        await talk
    assert client.answered in ([0], [0, 1])


async def test_a_fault_of_the_way_is_not_hidden(told: Told, message: Message) -> None:
    async def broken() -> AsyncIterator[Received]:
        yield message(0)
        raise ConnectionResetError("gone")

    client = Client(GatedSpool(), told)
    with pytest.raises(ConnectionResetError):
        await client.session.run(broken())
    assert client.answered == [0]


async def test_a_cancelled_stream_stops_reading(told: Told, message: Message) -> None:
    spool = GatedSpool()
    spool.gate.clear()
    client = Client(spool, told)
    talk = asyncio.create_task(client.talk([message(0)], until=1, more=asyncio.Event()))
    await client.waited_for.wait()
    talk.cancel()
    with pytest.raises(asyncio.CancelledError):
        await talk
    assert len(asyncio.all_tasks()) == 1
