"""A log stream on real pipes and files: nothing blocks, nothing is cut, and what is lost is counted."""

import os
import select
from pathlib import Path

import pytest

from intercomd_daemon.telemetry.log_stream import LINE_CHARACTERS_MAX, LineWriter, LogStream

LINE = "x" * 999


def test_lines_are_written_in_order_before_close_returns(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        stream = LogStream(file.fileno())
        for number in range(1_000):
            stream.write([str(number), "and \udc80"])
        stream.close()
        stream.write(["too late"])
    lines = (tmp_path / "log").read_text().splitlines()
    assert lines == [line for number in range(1_000) for line in (str(number), "and \\udc80")]
    assert stream.lost() == 1


def test_non_blocking_pipe_loses_nothing() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    stream = LogStream(writing)
    stream.write([LINE] * 1_000)
    read = bytearray()
    while len(read) < 1_000_000:
        read += os.read(reading, 1 << 16)
    assert read == (LINE + "\n").encode() * 1_000
    stream.close()
    assert stream.lost() == 0
    os.close(reading)
    os.close(writing)


def test_resumed_reader_gets_whole_lines_and_the_count_of_lost_ones(tmp_path: Path) -> None:
    path = tmp_path / "log"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(path, os.O_WRONLY)
    stream = LogStream(writer)
    os.close(reader)
    stream.write([LINE] * 3)
    stream.close(60)
    assert stream.lost() == 3
    again = LogStream(writer)
    again.write([LINE])
    while not again.lost():
        pass
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    again.write(["back"])
    select.select([reader], [], [], 60)
    again.close()
    assert os.read(reader, 1 << 16) == b"1 log lines lost\nback\n"
    assert again.lost() == 1
    os.close(reader)
    os.close(writer)


def test_full_disk_loses_lines_and_completes_the_cut_one(tmp_path: Path) -> None:
    """A full pipe gives the errors of a full device."""
    full = os.open("/dev/full", os.O_WRONLY)
    target = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    moved = os.dup(full)
    stream = LogStream(moved)
    stream.write(["lost"] * 5)
    while stream.lost() < 5:
        pass
    os.dup2(target, moved)
    stream.write(["written"])
    stream.close()
    assert (tmp_path / "log").read_text() == "5 log lines lost\nwritten\n"
    for descriptor in (full, target, moved):
        os.close(descriptor)


def test_closed_descriptor_loses_lines() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    os.close(writing)
    stream = LogStream(writing)
    stream.write(["lost"])
    stream.close()
    assert stream.lost() == 1


@pytest.mark.fills("telemetry.log_stream.LINE_CHARACTERS_MAX")
def test_printed_text_becomes_lines() -> None:
    lines: list[str] = []
    writer = LineWriter(lines.append)
    print("one", "two", file=writer)
    print("\nthree\nfo", end="", file=writer)
    print("ur", file=writer)
    assert lines == ["one two", "three", "four"]
    print("x" * (LINE_CHARACTERS_MAX + 1), end="", file=writer)
    assert lines[3:] == ["x" * (LINE_CHARACTERS_MAX + 1)]
