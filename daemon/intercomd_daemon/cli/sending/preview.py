"""Preview: asks the daemon what each line would become, and prints the calls to Intercom; nothing is sent."""

from collections.abc import AsyncIterable, Awaitable, Callable

import click

from intercomd.v1.ingest_pb2 import (
    DISPOSITION_ACCEPTED,
    EnvelopePreview,
    EnvelopeResult,
    PreviewRequest,
    PreviewResponse,
)
from intercomd_daemon.cli.json_lines import as_json, print_json
from intercomd_daemon.cli.sending.envelopes import Unreadable, read_envelope
from intercomd_daemon.cli.sending.lines import Line
from intercomd_daemon.cli.sending.report import why
from intercomd_daemon.cli.sending.tally import DISPOSITIONS, Tally
from intercomd_daemon.cli.words import plain

ENVELOPES_MAX = 50
"""In one call; what it becomes is larger than what was sent."""
LINE_BYTES_MAX = 1024 * 1024
"""Of the lines of one call together, so that the request stays below 4 MiB."""

Ask = Callable[[PreviewRequest], Awaitable[PreviewResponse]]


class Preview:
    """Looks at lines a few at a time."""

    def __init__(self, ask: Ask, tally: Tally, connection: str, *, as_json: bool) -> None:
        self._ask = ask
        self._tally = tally
        self._connection = connection
        self._as_json = as_json
        self._request = PreviewRequest()
        self._numbers: list[int] = []
        self._size_bytes = 0

    async def look(self, lines: AsyncIterable[Line]) -> None:
        """Prints what each line would become, in order."""
        async for line in lines:
            self._tally.sent += 1
            size_bytes = len(line.text or b"")
            if len(self._numbers) == ENVELOPES_MAX or self._size_bytes + size_bytes > LINE_BYTES_MAX:
                await self._flush()
            try:
                envelope = read_envelope(line.text)
            except Unreadable as error:
                await self._flush()
                self._unreadable(line.number, str(error))
                continue
            envelope.connection = envelope.connection or self._connection
            self._request.envelopes.append(envelope)
            self._numbers.append(line.number)
            self._size_bytes += size_bytes
        await self._flush()

    async def _flush(self) -> None:
        if not self._numbers:
            return
        answer = await self._ask(self._request)
        for number, preview in zip(self._numbers, answer.previews, strict=True):
            self._tally.answered[preview.result.disposition] += 1
            if self._as_json:
                print_json({"line": number, "preview": as_json(preview)})
            else:
                show(number, preview)
        self._request, self._numbers, self._size_bytes = PreviewRequest(), [], 0

    def _unreadable(self, number: int, reason: str) -> None:
        self._tally.unreadable += 1
        if self._as_json:
            print_json({"line": number, "unreadable": reason})
        else:
            click.secho(f"line {number}: unreadable: {plain(reason)}", fg="red")


def show(number: int, preview: EnvelopePreview) -> None:
    """One envelope: its disposition, the calls, and what was changed in it."""
    result: EnvelopeResult = preview.result
    taken = result.disposition == DISPOSITION_ACCEPTED
    disposition = DISPOSITIONS.get(result.disposition, str(result.disposition))
    reason = f": {why(result)}" if result.violations else ""
    click.secho(f"line {number}: {disposition}{reason}", bold=True, fg=None if taken else "yellow")
    for request in preview.requests:
        click.echo(f"  {request.method} {request.path}\n    {plain(request.json_body, characters_max=None)}")
    for changed in result.adjustments:
        click.echo(f"  changed: {changed.reason} {changed.field}: {plain(changed.message, characters_max=None)}")
