"""Writes log lines to a file descriptor from a thread, so that a reader that stops reading never stops the daemon.

Lines wait in a bounded buffer. Lines that do not fit, and lines that the stream refuses, are lost and counted; a line
in their place reports how many are missing.
"""

import io
import os
import select
import stat
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from threading import Condition, Thread

BUFFER_BYTES_MAX = 1 << 20
"""Lines that wait for the stream, some 2,500. Further lines are lost."""
FLUSH_SECONDS = 1.0
"""Time for the last lines at the end of the process: even a slow reader takes 1 MiB in less."""
STDERR = 2
LINE_CHARACTERS_MAX = 4_096
"""Characters of a line that a library prints without ending it."""
_CHUNK_BYTES_MAX = 1 << 16


class LogStream:
    """A file descriptor that takes whole lines and never blocks its caller."""

    def __init__(self, descriptor: int = STDERR) -> None:
        """Starts the thread. The caller owns the descriptor and keeps it open while this is used."""
        self.describe_lost: Callable[[int], str] = "{} log lines lost".format
        """Returns the line that reports a number of lost lines."""
        self._descriptor = descriptor
        self._chunk_bytes_max = select.PIPE_BUF if _is_pipe(descriptor) else _CHUNK_BYTES_MAX
        self._changed = Condition()
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        """Size of the lines that wait or are being written."""
        self._overflowed = 0
        """Lines lost behind the waiting ones. While it is above 0, new lines are lost too: the report goes first."""
        self._refused = 0
        """Lines that the stream refused, not reported yet."""
        self._rest = b""
        """The unwritten rest of a line that was written in part."""
        self._broken = False
        """The reader has closed the pipe and lost what it had not read: the next reader starts with a whole line."""
        self._lost = 0
        self._closing = False
        self._pending = False
        """Whether the thread is writing."""
        # A daemon thread: a write that hangs must not keep the process from ending.
        self._thread = Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def write(self, lines: Iterable[str]) -> None:
        """Queues lines, given without line breaks; lines that do not fit into the buffer are lost."""
        encoded = [line.encode("utf-8", "backslashreplace") + b"\n" for line in lines]
        sizes = list(accumulate(map(len, encoded), initial=0))
        with self._changed:
            room = 0 if self._closing or self._overflowed else BUFFER_BYTES_MAX - self._bytes
            fitting = bisect_right(sizes, room) - 1
            self._waiting.extend(encoded[:fitting])
            self._bytes += sizes[fitting]
            missing = len(encoded) - fitting
            self._lost += missing
            if not self._closing:
                self._overflowed += missing
            self._changed.notify_all()

    def lost(self) -> int:
        """Returns the number of lines lost since the start."""
        return self._lost

    def isatty(self) -> bool:
        """Returns whether the descriptor is a terminal."""
        return os.isatty(self._descriptor)

    def close(self, seconds: float = FLUSH_SECONDS) -> None:
        """Waits until the waiting lines are written, at most `seconds`; later lines are lost."""
        with self._changed:
            self._changed.wait_for(self._is_idle, seconds)
            self._closing = True
            self._changed.notify_all()

    def _is_idle(self) -> bool:
        return not (self._waiting or self._overflowed or self._pending)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._pending = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting or self._overflowed or self._closing)
                if self._closing:
                    return
                self._pending = True
                lines, self._waiting = self._waiting, deque()
                missing, self._refused = self._refused, 0
                if not lines:  # Everything from before the loss is written: now its report, then new lines.
                    missing, self._overflowed = missing + self._overflowed, 0
            taken = sum(map(len, lines))
            if missing:
                lines.appendleft(self.describe_lost(missing).encode("utf-8", "backslashreplace") + b"\n")
            written = self._write_lines(lines)
            with self._changed:
                self._bytes -= taken
                unwritten = len(lines) - written
                if missing and not written:  # The report does not count as a lost line; the loss stays to be reported.
                    self._refused += missing
                    unwritten -= 1
                self._refused += unwritten
                self._lost += unwritten

    def _write_lines(self, lines: Iterable[bytes]) -> int:
        """Writes lines in order until the stream refuses one; returns the number of lines done with."""
        rest, self._rest = self._rest, b""
        sent = self._send(rest)
        if sent < len(rest):
            self._rest = rest[sent:] if not self._broken else b""
            return 0
        written = 0
        for chunk in self._chunks(lines):
            sent = self._send(b"".join(chunk))
            for line in chunk:
                if sent <= 0 or (self._broken and sent < len(line)):
                    return written
                # A full disk may take part of a line: it counts as written, and is completed later.
                self._rest = line[sent:]
                sent -= len(line)
                written += 1
        return written

    def _chunks(self, lines: Iterable[bytes]) -> Iterator[list[bytes]]:
        """Yields groups of lines that leave in one write.

        "POSIX.1 says that writes of less than PIPE_BUF bytes must be atomic" (pipe(7)): so neither
        the end of the process nor another writer of the same pipe cuts a line.
        """
        chunk: list[bytes] = []
        size = 0
        for line in lines:
            if chunk and size + len(line) > self._chunk_bytes_max:
                yield chunk
                chunk, size = [], 0
            chunk.append(line)
            size += len(line)
        if chunk:
            yield chunk

    def _send(self, data: bytes) -> int:
        """Writes until everything is written or the stream refuses; returns the number of bytes written."""
        sent, self._broken = 0, False
        while sent < len(data):
            try:
                sent += os.write(self._descriptor, memoryview(data)[sent:])
            except BlockingIOError:  # Another process that shares the stream has made it non-blocking.
                self._await_room()
            except BrokenPipeError:
                self._broken = True
                return sent
            except OSError:
                return sent
        return sent

    def _await_room(self) -> None:
        room = select.poll()
        room.register(self._descriptor, select.POLLOUT)
        room.poll()


def _is_pipe(descriptor: int) -> bool:
    try:
        return stat.S_ISFIFO(os.fstat(descriptor).st_mode)
    except OSError:
        return False


class LineWriter(io.TextIOBase):
    """A text stream that calls a function with each line; it replaces `sys.stderr`, whose writes may block."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        """`on_line` gets each line without its line break; empty lines are left out."""
        self._on_line = on_line
        self._begun = ""

    def writable(self) -> bool:
        """Returns True."""
        return True

    def write(self, text: str) -> int:
        """Passes on the lines that `text` completes; a line without end is passed on in pieces."""
        *lines, self._begun = (self._begun + text).split("\n")
        if len(self._begun) > LINE_CHARACTERS_MAX:
            lines.append(self._begun)
            self._begun = ""
        for line in filter(None, lines):
            self._on_line(line)
        return len(text)


def occupy_standard_descriptors() -> None:
    """Opens the null device in place of a closed standard input, output or error.

    Otherwise the next file or socket would get that number, and libraries would print into it.
    """
    descriptor = os.open(os.devnull, os.O_RDWR)
    while descriptor <= STDERR:
        descriptor = os.dup(descriptor)
    os.close(descriptor)
