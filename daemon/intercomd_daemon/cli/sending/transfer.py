"""The way of the lines: read, made envelopes, published in batches and in order, each answered under its number."""

from collections import deque
from collections.abc import AsyncIterable, Sequence
from contextlib import closing
from typing import NamedTuple, Protocol

from intercomd import Envelope, EnvelopeResult, Publisher
from intercomd_daemon.cli.sending.envelopes import Unreadable, read_envelope
from intercomd_daemon.cli.sending.lines import Line
from intercomd_daemon.cli.sending.report import Report
from intercomd_daemon.cli.sending.stable_id import StableIds
from intercomd_daemon.cli.sending.tally import Tally


class _Sent(NamedTuple):
    """A line on its way; the text only where it may be wanted again."""

    number: int
    text: bytes
    envelope_id: str
    read_bytes: int


class Watcher(Protocol):
    """Who is told which envelopes leave and what was answered, and may make the next one wait."""

    async def leaves(self, envelope_id: str) -> None:
        """It is about to be published."""
        ...

    def answered(self, envelope_id: str, disposition: int) -> None:
        """The daemon has answered."""
        ...

    def reached(self, read_bytes: int) -> None:
        """So much of the input is answered."""
        ...


class Transfer:
    """Sends lines; `on_results` is the publisher's callback, which hands back results in the order of publishing."""

    def __init__(self, tally: Tally, report: Report, watcher: Watcher, connection: str) -> None:
        """`connection` is that of envelopes that name none."""
        self._tally = tally
        self._report = report
        self._watcher = watcher
        self._connection = connection
        self._on_the_way: deque[_Sent] = deque()

    async def send(self, lines: AsyncIterable[Line], publisher: Publisher) -> None:
        """Publishes every line that is an envelope, and returns when all are answered.

        Raises:
            PublishError: the daemon does not take them.
        """
        with closing(StableIds()) as ids:
            async for line in lines:
                self._tally.sent += 1
                envelope = self._envelope(line, ids)
                if envelope is not None:
                    await self._publish(line, envelope, publisher)
        await publisher.flush()

    def _envelope(self, line: Line, ids: StableIds) -> Envelope | None:
        try:
            envelope = read_envelope(line.text)
        except Unreadable as error:
            self._report.unreadable(line.number, line.text, str(error))
            return None
        envelope.envelope_id = envelope.envelope_id or ids.next(line.text or b"")
        envelope.connection = envelope.connection or self._connection
        return envelope

    async def _publish(self, line: Line, envelope: Envelope, publisher: Publisher) -> None:
        await self._watcher.leaves(envelope.envelope_id)
        text = line.text if self._report.keeps_lines and line.text else b""
        self._on_the_way.append(_Sent(line.number, text, envelope.envelope_id, line.read_bytes))
        await publisher.publish(envelope)

    def on_results(self, results: Sequence[EnvelopeResult]) -> None:
        """Hears of a batch."""
        for result in results:
            sent = self._on_the_way.popleft()
            self._watcher.answered(sent.envelope_id, result.disposition)
            self._report.result(sent.number, sent.text, result)
        if results:
            self._watcher.reached(sent.read_bytes)
