"""Runs one `intercomd send`: reads lines, publishes them in order, and prints the result of each."""

import logging
import os
from collections import deque
from collections.abc import AsyncIterable, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing, closing, contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from stat import S_ISREG
from typing import IO, NamedTuple

from intercomd import Envelope, EnvelopeResult, Publisher, PublishError, PublisherSettings, Tls
from intercomd_daemon.cli.client_options import ClientOptions, current
from intercomd_daemon.cli.exits import CommandFailed
from intercomd_daemon.cli.format import quantity
from intercomd_daemon.cli.remote import ingest, operations
from intercomd_daemon.cli.sending.envelopes import StableIds, UnreadableLine, parse_envelope
from intercomd_daemon.cli.sending.lines import Line, read_lines
from intercomd_daemon.cli.sending.outcome_wait import OutcomeWait
from intercomd_daemon.cli.sending.preview import Preview
from intercomd_daemon.cli.sending.progress import ProgressDisplay, show_progress
from intercomd_daemon.cli.sending.results import ResultPrinter, Tally

BUFFER_BYTES_MAX = 4 * 1024 * 1024
"""Envelopes in flight: the next batch is full when the daemon answers the last one."""
CLOSE_SECONDS = 1.0
"""Time for envelopes in flight when sending ends early; those without a result are counted as unanswered."""
BACKOFF_SECONDS_MAX = 2.0
"""Short, because a person is waiting for the daemon to come back."""
STDIN = "-"


@dataclass(frozen=True, kw_only=True)
class SendJob:
    """The arguments of the command line."""

    file: str
    target: str
    operations: str
    operations_access: ClientOptions | None
    connection: str
    validate_only: bool
    preview: bool
    wait: bool
    rejected_path: str | None
    patience_seconds: float
    as_json: bool

    async def run(self, tally: Tally) -> None:
        """Sends the file. The tally holds the counts, also if the job ends early.

        Raises:
            CommandFailed: the daemon cannot be reached or refuses the call, or a file cannot be read or written.
        """
        try:
            async with AsyncExitStack() as stack:
                file = stack.enter_context(FileIO(0, closefd=False) if self.file == STDIN else FileIO(self.file))
                stub = await stack.enter_async_context(ingest(self.target))
                lines = await stack.enter_async_context(aclosing(read_lines(file)))
                if self.preview:
                    await Preview(stub, tally, self.connection, as_json=self.as_json).run(lines)
                    return
                rejected = stack.enter_context(_create(self.rejected_path)) if self.rejected_path else None
                progress = stack.enter_context(show_progress(_size_bytes(file)))
                stack.enter_context(_publisher_log_shown(progress))
                results = ResultPrinter(tally, progress.notify, as_json=self.as_json, rejected=rejected)
                if self.wait:
                    await self._send_and_wait(lines, tally, results, progress)
                else:
                    await self._send(lines, tally, results, progress, None)
        except OSError as error:
            raise CommandFailed(f"{error.filename or self.file}: {error.strerror}") from None

    async def _send_and_wait(
        self, lines: AsyncIterable[Line], tally: Tally, results: ResultPrinter, progress: ProgressDisplay
    ) -> None:
        async with operations(self.operations, self.operations_access) as stub:
            wait = OutcomeWait(stub, self.patience_seconds, results.on_outcome, progress.notify)
            try:
                await wait.start()
                transfer = await self._send(lines, tally, results, progress, wait)
                await wait.wait_for_all(
                    lambda count: progress.update(f"waiting for {quantity(count, 'outcome')}", transfer.done_bytes)
                )
            finally:
                tally.outcomes_unknown = len(wait.pending)
                await wait.stop()

    async def _send(
        self,
        lines: AsyncIterable[Line],
        tally: Tally,
        results: ResultPrinter,
        progress: ProgressDisplay,
        wait: OutcomeWait | None,
    ) -> "Transfer":
        transfer = Transfer(tally, results, progress, wait, self.connection)
        settings = PublisherSettings(
            buffer_bytes_max=BUFFER_BYTES_MAX,
            backoff_seconds_max=BACKOFF_SECONDS_MAX,
            repeat_seconds_max=self.patience_seconds,
            validate_only=self.validate_only,
        )
        publisher = Publisher(
            self.target,
            settings=settings,
            on_results=transfer.on_results,
            tls=_tls_to(self.target),
            token_file=current().token_file,
        )
        try:
            await transfer.run(lines, publisher)
        except PublishError as error:
            raise CommandFailed(
                f"{error}; run the same command again to continue: the daemon recognizes what it has accepted"
            ) from None
        finally:
            await publisher.close(CLOSE_SECONDS)
        return transfer


class _InFlight(NamedTuple):
    """A line that has been published and has no result yet."""

    number: int
    text: bytes
    """Empty where the results do not need it."""
    envelope_id: str
    read_bytes: int


class Transfer:
    """Publishes lines in order, and assigns each result to its line."""

    def __init__(
        self, tally: Tally, results: ResultPrinter, progress: ProgressDisplay, wait: OutcomeWait | None, connection: str
    ) -> None:
        """`connection` is used for envelopes that name none. `wait` collects the outcomes with --wait."""
        self.done_bytes = 0
        """How much of the input has its result."""
        self._tally = tally
        self._results = results
        self._progress = progress
        self._wait = wait
        self._connection = connection
        self._in_flight: deque[_InFlight] = deque()

    async def run(self, lines: AsyncIterable[Line], publisher: Publisher) -> None:
        """Publishes every line that is an envelope, and returns when each has its result.

        Raises:
            PublishError: the daemon does not accept them.
        """
        with closing(StableIds()) as ids:
            async for line in lines:
                self._tally.sent += 1
                try:
                    envelope = parse_envelope(line.text)
                except UnreadableLine as error:
                    self._results.on_unreadable(line.number, line.text, str(error))
                    continue
                envelope.envelope_id = envelope.envelope_id or ids.next_id(line.text or b"")
                envelope.connection = envelope.connection or self._connection
                await self._publish(line, envelope, publisher)
        await publisher.flush()

    async def _publish(self, line: Line, envelope: Envelope, publisher: Publisher) -> None:
        # The outcome may arrive before the result, so the wait has to know the envelope before it is published.
        if self._wait is not None:
            await self._wait.wait_for_room()
            self._wait.pending.add(envelope.envelope_id)
        text = line.text if self._results.needs_text and line.text else b""
        self._in_flight.append(_InFlight(line.number, text, envelope.envelope_id, line.read_bytes))
        await publisher.publish(envelope)

    def on_results(self, results: Sequence[EnvelopeResult]) -> None:
        """Receives results from the publisher, in the order of publishing."""
        for result in results:
            sent = self._in_flight.popleft()
            if self._wait is not None:
                self._wait.pending.on_result(sent.envelope_id, result.disposition)
            self._results.on_result(sent.number, sent.text, result)
            self.done_bytes = sent.read_bytes
        if results:
            self._progress.update(quantity(self._tally.sent - self._tally.unanswered, "line"), self.done_bytes)


class _LogToProgress(logging.Handler):
    """Shows log lines beside the progress."""

    def __init__(self, progress: ProgressDisplay) -> None:
        super().__init__(logging.INFO)
        self._progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        self._progress.notify(record.getMessage())


@contextmanager
def _publisher_log_shown(progress: ProgressDisplay) -> Iterator[None]:
    """Shows the publisher's log, which says that it waits for the daemon and that it continues."""
    logger, handler = logging.getLogger("intercomd"), _LogToProgress(progress)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)


def _tls_to(target: str) -> Tls | None:
    given = current()
    if not given.uses_tls or target.startswith("unix:"):
        return None
    return Tls(
        ca_file=given.ca_file,
        cert_file=given.certificate_file,
        key_file=given.key_file,
        server_name=given.server_name,
    )


def _create(path: str) -> IO[bytes]:
    return Path(path).open("wb")


def _size_bytes(file: FileIO) -> int | None:
    """Returns the size of a file, None for a pipe."""
    status = os.fstat(file.fileno())
    return status.st_size if S_ISREG(status.st_mode) else None
