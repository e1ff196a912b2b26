"""Reads lines from a file or a pipe in bounded memory, each as soon as it is complete."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import CancelledError
from io import FileIO
from typing import NamedTuple

CHUNK_BYTES = 64 * 1024
CHUNKS_MAX = 8
"""Chunks that are read ahead of what has been sent."""
LINE_BYTES_MAX = 1024 * 1024
"""An envelope has at most 128 KiB, which JSON may write several times as long."""


class Line(NamedTuple):
    """One line of the input that is not blank."""

    number: int
    """From 1, blank lines counted."""
    text: bytes | None
    """Stripped of white space. None: longer than LINE_BYTES_MAX."""
    read_bytes: int
    """Size of the input up to and including this line."""


class LineSplitter:
    """Splits chunks into lines. The text of a line above LINE_BYTES_MAX is discarded as it arrives."""

    def __init__(self) -> None:
        self._number = 0
        self._read_bytes = 0
        self._partial = bytearray()
        self._too_long = False

    def feed(self, chunk: bytes) -> Iterator[Line]:
        """Yields the lines that end in this chunk."""
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            self._extend(chunk[start:end])
            yield from self._end_line(end + 1 - start)
            start = end + 1
        self._extend(chunk[start:])
        self._read_bytes += len(chunk) - start

    def close(self) -> Iterator[Line]:
        """Yields the last line if no line feed ended it."""
        yield from self._end_line(0)

    def _extend(self, part: bytes) -> None:
        if len(self._partial) + len(part) > LINE_BYTES_MAX:
            self._too_long = True
            self._partial.clear()
        elif not self._too_long:
            self._partial += part

    def _end_line(self, read_bytes: int) -> Iterator[Line]:
        self._number += 1
        self._read_bytes += read_bytes
        text = None if self._too_long else bytes(self._partial).strip()
        self._partial.clear()
        self._too_long = False
        if text != b"":
            yield Line(self._number, text, self._read_bytes)


async def read_lines(file: FileIO) -> AsyncGenerator[Line, None]:
    """Yields the lines of an unbuffered file.

    Raises:
        OSError: reading failed.
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
            except ValueError:
                return  # the file was closed: sending has ended early
            try:
                asyncio.run_coroutine_threadsafe(queue.put(chunk), loop).result()
            except (RuntimeError, CancelledError):
                return  # the reader of the queue has gone

    # A daemon thread: a read from a silent pipe cannot be interrupted, and must not keep the process from ending.
    threading.Thread(target=read, name="lines", daemon=True).start()
    splitter = LineSplitter()
    while chunk := await queue.get():
        if isinstance(chunk, OSError):
            raise chunk
        for line in splitter.feed(chunk):
            yield line
    for line in splitter.close():
        yield line
