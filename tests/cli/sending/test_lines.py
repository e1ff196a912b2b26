"""Tests reading lines from files and pipes: numbered, in bounded memory, each as soon as it is complete."""

import asyncio
import os
import threading
from contextlib import aclosing, suppress
from io import FileIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemons.process import WAIT_SECONDS
from intercomd_daemon.cli.sending.lines import LINE_BYTES_MAX, Line, LineSplitter, read_lines


def split(*chunks: bytes) -> list[Line]:
    splitter = LineSplitter()
    return [line for chunk in chunks for line in splitter.feed(chunk)] + list(splitter.close())


@given(st.lists(st.binary(max_size=9).map(lambda data: data.replace(b"\n", b"")), max_size=9), st.integers(1, 7))
def test_splitter_result_does_not_depend_on_the_chunks(parts: list[bytes], size: int) -> None:
    data = b"\n".join(parts)
    chunks = [data[start : start + size] for start in range(0, len(data), size)]
    expected = [(number, part.strip()) for number, part in enumerate(parts, start=1) if part.strip()]
    assert [(line.number, line.text) for line in split(*chunks)] == expected


def test_splitter_counts_the_bytes_read() -> None:
    assert [line.read_bytes for line in split(b"ab\n\n cd", b"e\nf")] == [3, 9, 10]


def test_splitter_skips_the_text_of_a_line_above_the_limit() -> None:
    half = b"x" * (LINE_BYTES_MAX // 2 + 1)
    assert [(line.number, line.text) for line in split(half, half, half, b"\nnext\n")] == [(1, None), (2, b"next")]


def test_splitter_keeps_a_line_at_the_limit() -> None:
    (line,) = split(b"x" * LINE_BYTES_MAX)
    assert line.text is not None
    assert len(line.text) == LINE_BYTES_MAX


async def collect(file: FileIO) -> list[bytes | None]:
    async with aclosing(read_lines(file)) as lines:
        return [line.text async for line in lines]


async def test_read_lines_reads_a_file_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"".join(b"%d\n" % number for number in range(50_000)))
    with FileIO(path) as file:
        assert await collect(file) == [b"%d" % number for number in range(50_000)]


async def test_read_lines_yields_a_line_of_a_pipe_before_the_next_is_written() -> None:
    ours, theirs = os.pipe()
    with FileIO(ours) as file:
        async with aclosing(read_lines(file)) as lines, asyncio.timeout(WAIT_SECONDS):
            for number in range(3):
                os.write(theirs, b"%d\n" % number)
                assert (await anext(lines)).text == b"%d" % number
            os.close(theirs)
            with pytest.raises(StopAsyncIteration):
                await anext(lines)


async def test_read_lines_raises_errors_of_the_file() -> None:
    ours, theirs = os.pipe()
    with FileIO(ours) as file, FileIO(theirs, "w", closefd=False):
        os.close(ours)
        os.dup2(theirs, ours)  # write-only
        with pytest.raises(OSError, match="Bad file descriptor"):
            await collect(file)
    os.close(theirs)


async def test_reading_ends_when_the_file_is_closed_early() -> None:
    """As when sending gives up: the thread, which reads ahead, ends without a traceback."""
    ours, theirs = os.pipe()
    file = FileIO(ours)
    os.write(theirs, b"1\n")
    async with aclosing(read_lines(file)) as lines, asyncio.timeout(WAIT_SECONDS):
        assert (await anext(lines)).text == b"1"
        (reader,) = (thread for thread in threading.enumerate() if thread.name == "lines")
        file.close()
        with suppress(BrokenPipeError):
            os.write(theirs, b"2\n")  # ends a read that has begun
        await asyncio.to_thread(reader.join)
    os.close(theirs)
