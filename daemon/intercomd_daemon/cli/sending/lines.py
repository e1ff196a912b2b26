"""From a file or a pipe to lines, one at a time: however large it is, only a few lines of it are in memory.

A thread reads, so that a pipe that gives nothing holds up nobody. What a line means is not known here.
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import CancelledError
from io import FileIO
from typing import NamedTuple

CHUNK_BYTES = 64 * 1024
CHUNKS_MAX = 8
"""Read ahead of what has been sent."""
LINE_BYTES_MAX = 1024 * 1024
"""An envelope has at most 128 KiB, which JSON may write several times as long."""


class Line(NamedTuple):
    """One line of the input that is not blank."""

    number: int
    """From 1, blank lines counted."""
    text: bytes | None
    """Without white space around it; None: it was longer than a line may be."""
    read_bytes: int
    """How far the input has been read with it."""


class LineSplitter:
    """Splits chunks into lines; one that is too long is passed over, whatever its length."""

    def __init__(self) -> None:
        self._number = 0
        self._read_bytes = 0
        self._rest = bytearray()
        self._too_long = False

    def feed(self, chunk: bytes) -> Iterator[Line]:
        """The lines that end in this chunk."""
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            self._keep(chunk[start:end])
            yield from self._end(end + 1 - start)
            start = end + 1
        self._keep(chunk[start:])
        self._read_bytes += len(chunk) - start

    def close(self) -> Iterator[Line]:
        """The last line, where no line feed ends it."""
        yield from self._end(0)

    def _keep(self, part: bytes) -> None:
        if len(self._rest) + len(part) > LINE_BYTES_MAX:
            self._too_long = True
            self._rest.clear()
        elif not self._too_long:
            self._rest += part

    def _end(self, size_bytes: int) -> Iterator[Line]:
        self._number += 1
        self._read_bytes += size_bytes
        text = None if self._too_long else bytes(self._rest).strip()
        self._rest.clear()
        self._too_long = False
        if text != b"":
            yield Line(self._number, text, self._read_bytes)


async def read_lines(file: FileIO) -> AsyncGenerator[Line, None]:
    """The lines of an unbuffered file, as soon as they are there.

    Raises:
        OSError: it cannot be read on.
    """
    queue: asyncio.Queue[bytes | OSError] = asyncio.Queue(CHUNKS_MAX)
    loop = asyncio.get_running_loop()

    def read() -> None:
        chunk: bytes | OSError = b"."
        while chunk and not isinstance(chunk, OSError):
            try:
                chunk = file.read(CHUNK_BYTES) or b""
            except OSError as error:
                chunk = error
            try:
                asyncio.run_coroutine_threadsafe(queue.put(chunk), loop).result()
            except (RuntimeError, CancelledError):
                return  # nobody reads any more

    # A daemon thread, since nothing can interrupt it while a pipe gives nothing.
    threading.Thread(target=read, name="lines", daemon=True).start()
    splitter = LineSplitter()
    while chunk := await queue.get():
        if isinstance(chunk, OSError):
            raise chunk
        for line in splitter.feed(chunk):
            yield line
    for line in splitter.close():
        yield line
