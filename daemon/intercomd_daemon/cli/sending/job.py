"""One `intercomd send` from its first line to its last answer: puts the parts together, and takes them apart."""

import logging
import os
from collections.abc import AsyncIterable
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from stat import S_ISREG
from typing import IO

from intercomd import Publisher, PublishError, PublisherSettings
from intercomd_daemon.cli.failures import Failed
from intercomd_daemon.cli.remote import operations
from intercomd_daemon.cli.sending.door import open_door
from intercomd_daemon.cli.sending.lines import Line, read_lines
from intercomd_daemon.cli.sending.outcome_wait import OutcomeWait
from intercomd_daemon.cli.sending.preview import Preview
from intercomd_daemon.cli.sending.progress import Gauge, gauge
from intercomd_daemon.cli.sending.report import Report
from intercomd_daemon.cli.sending.tally import Tally
from intercomd_daemon.cli.sending.transfer import Transfer
from intercomd_daemon.cli.words import counted

BUFFER_BYTES_MAX = 4 * 1024 * 1024
"""Envelopes on their way: enough for the next batch to be full when one is answered."""
CLOSE_SECONDS = 1.0
"""For what is left when sending ends early; what stays unanswered is counted."""
BACKOFF_SECONDS_MAX = 2.0
"""A person waits: a daemon that is back should be noticed soon."""
STDIN = "-"


@dataclass(frozen=True, kw_only=True)
class Job:
    """What was asked for on the command line."""

    file: str
    target: str
    operations: str
    connection: str
    validate_only: bool
    preview: bool
    wait: bool
    rejected_path: str | None
    patience_seconds: float
    as_json: bool

    @property
    def takes(self) -> bool:
        """Whether envelopes are handed over, and not only looked at."""
        return not (self.preview or self.validate_only)

    async def run(self, tally: Tally) -> None:
        """Does it; what became of the lines stands in the tally, also where it ends early.

        Raises:
            Failed: the daemon is not there, or refuses; the file cannot be read.
        """
        try:
            async with AsyncExitStack() as stack:
                file = stack.enter_context(FileIO(0, closefd=False) if self.file == STDIN else FileIO(self.file))
                door = await stack.enter_async_context(open_door(self.target))
                lines = await stack.enter_async_context(aclosing(read_lines(file)))
                if self.preview:
                    await Preview(door.preview, tally, self.connection, as_json=self.as_json).look(lines)
                    return
                rejected = stack.enter_context(_open_new(self.rejected_path)) if self.rejected_path else None
                screen = stack.enter_context(gauge(_size_bytes(file)))
                stack.enter_context(_Heard(screen))
                await _Sending(self, tally, screen, rejected).run(lines)
        except OSError as error:
            raise Failed(f"{error.filename or self.file}: {error.strerror}") from None


class _Heard(logging.Handler):
    """What the publisher logs, that it waits and that it goes on, for the one who waits with it."""

    def __init__(self, screen: Gauge) -> None:
        super().__init__(logging.INFO)
        self._screen = screen
        self._logger = logging.getLogger("intercomd")

    def emit(self, record: logging.LogRecord) -> None:
        self._screen.tell(record.getMessage())

    def __enter__(self) -> None:
        self._logger.addHandler(self)
        self._logger.setLevel(logging.INFO)
        self._logger.propagate = False

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)


class _Sending:
    """The parts of a job that hands envelopes over."""

    def __init__(self, job: Job, tally: Tally, screen: Gauge, rejected: IO[bytes] | None) -> None:
        self._job = job
        self._tally = tally
        self._screen = screen
        self._report = Report(tally, screen, as_json=job.as_json, rejected=rejected)
        self._waiting: OutcomeWait | None = None
        self._read_bytes = 0

    async def run(self, lines: AsyncIterable[Line]) -> None:
        if not self._job.wait:
            await self._send(lines)
            return
        async with operations(self._job.operations) as stub:
            self._waiting = OutcomeWait(stub, self._job.patience_seconds, self._report.outcome, self._screen.tell)
            try:
                await self._waiting.start()
                await self._send(lines)
                await self._waiting.all_ended(self._show_awaited)
            finally:
                self._tally.awaited = len(self._waiting.awaited)
                await self._waiting.stop()

    async def _send(self, lines: AsyncIterable[Line]) -> None:
        transfer = Transfer(self._tally, self._report, self, self._job.connection)
        settings = PublisherSettings(
            buffer_bytes_max=BUFFER_BYTES_MAX,
            backoff_seconds_max=BACKOFF_SECONDS_MAX,
            repeat_seconds_max=self._job.patience_seconds,
            validate_only=self._job.validate_only,
        )
        publisher = Publisher(self._job.target, settings=settings, on_results=transfer.on_results)
        try:
            await transfer.send(lines, publisher)
        except PublishError as error:
            raise Failed(f"{error}; run the same command again to go on: what was taken is recognised") from None
        finally:
            await publisher.close(CLOSE_SECONDS)

    async def leaves(self, envelope_id: str) -> None:
        """An envelope is about to be published."""
        if self._waiting is not None:
            await self._waiting.room()
            self._waiting.awaited.sent(envelope_id)

    def answered(self, envelope_id: str, disposition: int) -> None:
        """The daemon has answered about it."""
        if self._waiting is not None:
            self._waiting.awaited.answered(envelope_id, disposition)

    def reached(self, read_bytes: int) -> None:
        """So much of the input is answered."""
        self._read_bytes = read_bytes
        self._screen.show(counted(self._tally.sent - self._tally.unanswered, "line"), read_bytes)

    def _show_awaited(self, count: int) -> None:
        self._screen.show(f"waiting for {counted(count, 'outcome')}", self._read_bytes)


def _open_new(path: str) -> IO[bytes]:
    return Path(path).open("wb")


def _size_bytes(file: FileIO) -> int | None:
    """What a bar can be drawn for; None for a pipe."""
    status = os.fstat(file.fileno())
    return status.st_size if S_ISREG(status.st_mode) else None
