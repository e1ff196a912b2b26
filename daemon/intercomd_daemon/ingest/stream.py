"""One stream of batches: read ahead of the answers within a limit, append what is there in one go, answer in order.

While a commit is under way the next messages are read; together they make the next one. So no message is looked at
before the one before it is known to be taken, and the stream still commits as often as the disk can.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from itertools import chain

from intercomd_daemon.errors import RequestRefused, RetryLater, ShuttingDown
from intercomd_daemon.ingest.accept import Acceptor
from intercomd_daemon.ingest.decision import Decision
from intercomd_daemon.ingest.decoded import Request
from intercomd_daemon.ingest.limits import STREAM_BYTES_AHEAD, STREAM_MESSAGES_AHEAD

Answer = Callable[[Request, Sequence[Decision]], Awaitable[None]]
"""Writes the answer to one message; returns when the way to the client has room for it."""

_Item = Request | RequestRefused | ShuttingDown | None


class StreamSession:
    """A stream that is open."""

    def __init__(self, acceptor: Acceptor, answer: Answer) -> None:
        """`answer` is called for each message that was taken, in their order."""
        self._acceptor = acceptor
        self._answer = answer
        self._waiting: asyncio.Queue[_Item] = asyncio.Queue()
        self._ahead = 0
        self._ahead_bytes = 0
        self._room = asyncio.Event()

    async def hold(self, messages: AsyncIterator[Request | RequestRefused]) -> None:
        """Takes and answers messages until the client has no more.

        Raises:
            RequestRefused: a message was wrong; all before it are answered, nothing after it was looked at.
            RetryLater: a message was not taken; the same holds.
        """
        reader = asyncio.create_task(self._read(messages))
        try:
            while True:
                requests, end = self._collected(await self._waiting.get())
                await self._take(requests)
                if isinstance(end, (RequestRefused, ShuttingDown)):
                    raise end
                if end is None:
                    await reader
                    return
        finally:
            reader.cancel()
            await asyncio.wait([reader])

    def drain(self) -> None:
        """Ends the stream when what has been read is answered."""
        self._waiting.put_nowait(shutting_down())

    def _collected(self, item: _Item) -> tuple[list[Request], _Item]:
        """All messages that wait, and what ends the stream after them, or the last of them."""
        requests: list[Request] = []
        while isinstance(item, Request):
            requests.append(item)
            if self._waiting.empty():
                return requests, item
            item = self._waiting.get_nowait()
        return requests, item

    async def _take(self, requests: list[Request]) -> None:
        """Appends the messages in one go, or one by one where they do not fit together, and answers them."""
        if not requests:
            return
        try:
            envelopes = chain.from_iterable(request.envelopes for request in requests)
            results = await self._acceptor.accept(envelopes, sum(request.size_bytes for request in requests))
        except (RetryLater, RequestRefused):
            if len(requests) == 1:
                raise
            for request in requests:
                await self._take([request])
            return
        start = 0
        for request in requests:
            end = start + len(request.envelopes)
            await self._answer(request, results[start:end])
            start = end
            self._ahead -= 1
            self._ahead_bytes -= request.size_bytes
            self._room.set()

    async def _read(self, messages: AsyncIterator[Request | RequestRefused]) -> None:
        try:
            async for message in messages:
                self._waiting.put_nowait(message)
                if isinstance(message, RequestRefused):
                    return
                self._ahead += 1
                self._ahead_bytes += message.size_bytes
                while self._ahead >= STREAM_MESSAGES_AHEAD or self._ahead_bytes >= STREAM_BYTES_AHEAD:
                    self._room.clear()
                    await self._room.wait()
        finally:
            self._waiting.put_nowait(None)


def shutting_down() -> ShuttingDown:
    """The error of calls that arrive while the daemon stops."""
    return ShuttingDown(
        "the daemon is stopping: send the request again, to another daemon or to this one after its restart", 1.0
    )
