"""A proxy between a daemon and Intercom that loses, cuts and delays calls, and counts what it did.

It parses HTTP only to find where a message ends. The faults take turns at a fixed interval of calls, so that even a
short run meets each kind. Which calls they hit is random.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from ports import free_port

DELAY_SECONDS = 0.05
STALL_SECONDS = 2.0
CALL_SECONDS = 60.0
"""Longer than the daemon waits for an answer."""


class Kind(StrEnum):
    """What happens to a call."""

    CUT_BEFORE = "cut before it is taken"
    CUT_AFTER = "cut after it is taken"
    CUT_MIDDLE = "cut amid the answer"
    DELAY = "delayed"
    STALL_BEFORE = "stalled before it is taken"
    STALL_AFTER = "stalled after it is taken"
    REFUSED = "every connection refused"


CALL_KINDS = tuple(kind for kind in Kind if kind is not Kind.REFUSED)
"""Those that hit one call; an outage hits all."""


class Gone(Exception):
    """One of the two sides closed the connection."""


class FaultProxy:
    """`async with FaultProxy(sandbox.base_url, seed) as proxy:` listens on a free port of the loopback."""

    def __init__(self, base_url: str, seed: int, every: int = 0, kinds: Sequence[Kind] = CALL_KINDS) -> None:
        """About one call of `every` meets a fault, each of `kinds` in turn; 0: none does."""
        self._to = urlsplit(base_url)
        self._random = random.Random(seed)  # noqa: S311 - which call is hit is nothing to guess
        self._kinds = kinds
        self._turn: list[Kind] = []
        self._until_fault = 0
        self._server: asyncio.Server | None = None
        self._port = free_port()  # the same after an outage
        self._handlers: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self.every = every
        self.holding = False
        """While set, answers are kept back."""
        self.faults: Counter[Kind] = Counter()
        self.statuses: Counter[int] = Counter()
        """Of the answers that were passed on whole."""
        self.calls = 0
        self._open: set[int] = set()
        self.answers_lost = 0
        """Calls that the sandbox answered and the proxy cut, so that the caller got no response."""
        self.abandoned = 0
        """Open calls whose caller went away."""

    @property
    def base_url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def open(self) -> int:
        """Calls that came in whole and to which nothing has been said."""
        return len(self._open)

    @property
    def answered(self) -> int:
        """Calls that were answered in full."""
        return self.statuses.total()

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.refuse()
        for handler in tuple(self._handlers):
            handler.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)

    async def listen(self) -> None:
        """Takes connections, after `refuse` at the same address."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    def refuse(self) -> None:
        """Takes no more connections: the system refuses them. Those that are open are cut."""
        assert self._server is not None
        self._server.close()
        self.answers_lost += self.open
        for handler in self._handlers:
            handler.cancel()

    async def outage(self, seconds: float) -> None:
        """Refuses connections for a while."""
        self.faults[Kind.REFUSED] += 1
        self.refuse()
        await _pass(seconds)
        await self.listen()

    def let_go(self) -> None:
        """Answers what was held back."""
        self.holding = False
        self._wake()

    async def until(self, holds: Callable[[], object], timeout_seconds: float = CALL_SECONDS) -> None:
        """Waits until something holds; it is asked now and whenever a call begins or ends."""
        async with asyncio.timeout(timeout_seconds):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    def _wake(self) -> None:
        self._changed.set()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        try:
            await self._serve(reader, writer)
        except (Gone, ConnectionError, asyncio.CancelledError):
            pass  # One side is gone, or both are made to go: what is left of the connection goes with it.
        finally:
            self._handlers.discard(task)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_reader, to_writer = await asyncio.open_connection(self._to.hostname, self._to.port)
        try:
            begun = b""
            while True:
                request = begun + await read_message(reader)
                self.calls += 1
                number = self.calls
                self._open.add(number)
                self._wake()
                try:
                    answer = self._answer(number, request, writer, to_reader, to_writer)
                    begun = await self._unless_abandoned(answer, reader)
                finally:
                    self._open.discard(number)
                    self._wake()
        finally:
            to_writer.transport.abort()

    async def _unless_abandoned(self, answer: Awaitable[None], reader: asyncio.StreamReader) -> bytes:
        """Answers, unless the daemon goes away before; what it says at once after the answer begins its next call."""
        answering = asyncio.ensure_future(answer)
        leaving = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                self.abandoned += 1
                raise Gone
            await answering
            return leaving.result() if leaving.done() else b""
        finally:
            for task in (answering, leaving):
                task.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)

    async def _answer(
        self,
        number: int,
        request: bytes,
        writer: asyncio.StreamWriter,
        to_reader: asyncio.StreamReader,
        to_writer: asyncio.StreamWriter,
    ) -> None:
        fault = self._pick()
        if fault is not None:
            self.faults[fault] += 1
        match fault:
            case Kind.CUT_BEFORE:
                raise Gone
            case Kind.DELAY:
                await _pass(DELAY_SECONDS)
            case Kind.STALL_BEFORE:
                await _pass(STALL_SECONDS)
        to_writer.write(request)
        answer = await read_message(to_reader)
        if self.holding:
            await self.until(lambda: not self.holding)
        match fault:
            case Kind.CUT_AFTER:
                self.answers_lost += 1
                raise Gone
            case Kind.CUT_MIDDLE:
                self.answers_lost += 1
                writer.write(answer[: len(answer) // 2])
                await writer.drain()
                writer.close()
                raise Gone
            case Kind.STALL_AFTER:
                await _pass(STALL_SECONDS)
        self.statuses[int(answer.split(b" ", 2)[1])] += 1
        self._open.discard(number)
        writer.write(answer)
        await writer.drain()

    def _pick(self) -> Kind | None:
        if not self.every:
            return None
        self._until_fault -= 1
        if self._until_fault > 0:
            return None
        self._until_fault = self._random.randint(1, 2 * self.every - 1)
        if not self._turn:
            self._turn = self._random.sample(self._kinds, len(self._kinds))
        return self._turn.pop()


async def _pass(seconds: float) -> None:
    """Time, which is what some faults are made of."""
    await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=seconds)


async def read_message(reader: asyncio.StreamReader) -> bytes:
    """A request or an answer, whole, as it came.

    Raises:
        Gone: nothing more comes.
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return head + await reader.readexactly(length)
    except asyncio.IncompleteReadError:
        raise Gone from None
