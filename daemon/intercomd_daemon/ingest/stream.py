"""One stream of batches: reads ahead of the responses within a limit, and responds in order.

While a commit is in progress, the next messages are read; together they make the next commit. So the stream commits as
often as the disk allows, and still decides no message before the one before it is accepted.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from itertools import chain

from intercomd_daemon.errors import (
    ConnectionNotAllowed,
    RequestRefused,
    RetryLater,
    ShuttingDown,
    Unauthenticated,
)
from intercomd_daemon.ingest.accept import Acceptor
from intercomd_daemon.ingest.decision import Decision
from intercomd_daemon.ingest.decoded import DecodedRequest
from intercomd_daemon.ingest.limits import STREAM_BYTES_AHEAD, STREAM_MESSAGES_AHEAD
from intercomd_daemon.rpc.authentication import Guard

Respond = Callable[[DecodedRequest, Sequence[Decision]], Awaitable[None]]
"""Writes the response to one message; returns when the connection to the client has room for it."""

_Item = DecodedRequest | RequestRefused | ShuttingDown | Unauthenticated | None


class StreamSession:
    """An open stream."""

    def __init__(self, acceptor: Acceptor, respond: Respond, guard: Guard | None = None) -> None:
        """`respond` is called for each accepted message, in their order; `guard` knows the caller of the stream."""
        self._acceptor = acceptor
        self._guard = guard or Guard()
        self._respond = respond
        self._waiting: asyncio.Queue[_Item] = asyncio.Queue()
        self._ahead = 0
        self._ahead_bytes = 0
        self._room = asyncio.Event()

    async def run(self, messages: AsyncIterator[DecodedRequest | RequestRefused]) -> None:
        """Accepts messages and responds to them until the client closes its side.

        Raises:
            RequestRefused: a message is invalid.
            RetryLater: a message was not accepted.
            ConnectionNotAllowed: a message has an envelope for a connection that the caller may not use.
            Unauthenticated: the caller's credential was removed.

        The messages before the one that ends the stream have their responses, and those after it were not read.
        """
        reader = asyncio.create_task(self._read(messages))
        try:
            while True:
                requests, end = self._collect(await self._waiting.get())
                await self._accept(requests)
                if isinstance(end, Exception):
                    raise end
                if end is None:
                    await reader
                    return
        finally:
            reader.cancel()
            await asyncio.wait([reader])

    def drain(self) -> None:
        """Ends the stream after the responses to the messages that were read."""
        self.end(shutting_down())

    def end(self, error: ShuttingDown | Unauthenticated) -> None:
        """Ends the stream with an error, after the responses to the messages that were read."""
        self._waiting.put_nowait(error)

    def _collect(self, item: _Item) -> tuple[list[DecodedRequest], _Item]:
        """Returns the waiting messages, and the item after them that ends the stream, else the last message."""
        requests: list[DecodedRequest] = []
        while isinstance(item, DecodedRequest):
            requests.append(item)
            if self._waiting.empty():
                return requests, item
            item = self._waiting.get_nowait()
        return requests, item

    async def _accept(self, requests: list[DecodedRequest]) -> None:
        """Accepts the messages in one commit, or one by one if together they are refused, and responds to each."""
        if not requests:
            return
        try:
            envelopes = chain.from_iterable(request.envelopes for request in requests)
            size_bytes = sum(request.size_bytes for request in requests)
            results = await self._acceptor.accept(envelopes, size_bytes, self._guard.caller)
        except (RetryLater, RequestRefused, ConnectionNotAllowed):
            if len(requests) == 1:
                raise
            for request in requests:
                await self._accept([request])
            return
        start = 0
        for request in requests:
            end = start + len(request.envelopes)
            await self._respond(request, results[start:end])
            start = end
            self._ahead -= 1
            self._ahead_bytes -= request.size_bytes
            self._room.set()

    async def _read(self, messages: AsyncIterator[DecodedRequest | RequestRefused]) -> None:
        try:
            await self._wait_for_quota()
            async for message in messages:
                self._waiting.put_nowait(message)
                if isinstance(message, RequestRefused):
                    self._guard.take(message.size_bytes, 0)
                    return
                self._guard.take(message.size_bytes, len(message.envelopes))
                await self._wait_for_quota()
                self._ahead += 1
                self._ahead_bytes += message.size_bytes
                while self._ahead >= STREAM_MESSAGES_AHEAD or self._ahead_bytes >= STREAM_BYTES_AHEAD:
                    self._room.clear()
                    await self._room.wait()
        finally:
            self._waiting.put_nowait(None)

    async def _wait_for_quota(self) -> None:
        """Waits until the caller's quota allows the next message: a quota slows a stream down and does not end it."""
        while seconds := self._guard.quota_seconds():  # noqa: ASYNC110 - time fills the buckets, nothing else does
            await asyncio.sleep(seconds)


def shutting_down() -> ShuttingDown:
    """Returns the error of calls that arrive while the daemon stops."""
    return ShuttingDown(
        "the daemon is stopping: send the request again, to another daemon or to this one after its restart", 1.0
    )
