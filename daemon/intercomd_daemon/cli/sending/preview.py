"""Prints the calls to Intercom that lines would become, by the daemon's Preview. Sends nothing."""

from collections.abc import AsyncIterable

import click

from intercomd.v1.ingest_pb2 import DISPOSITION_ACCEPTED, EnvelopePreview, EnvelopeResult, PreviewRequest
from intercomd_daemon.cli.format import printable
from intercomd_daemon.cli.output import message_to_json, print_json
from intercomd_daemon.cli.remote import CALL_SECONDS, Ingest
from intercomd_daemon.cli.sending.envelopes import UnreadableLine, parse_envelope
from intercomd_daemon.cli.sending.lines import Line
from intercomd_daemon.cli.sending.results import DISPOSITIONS, Tally, violations_text

ENVELOPES_MAX = 50
"""Envelopes of one call; the response is larger than the request."""
REQUEST_BYTES_MAX = 1024 * 1024
"""Text of the lines of one call, so that the request stays below 4 MiB."""


class Preview:
    """Previews lines in batches, and prints each in its order."""

    def __init__(self, stub: Ingest, tally: Tally, connection: str, *, as_json: bool) -> None:
        """`connection` is used for envelopes that name none."""
        self._stub = stub
        self._tally = tally
        self._connection = connection
        self._as_json = as_json
        self._request = PreviewRequest()
        self._numbers: list[int] = []
        self._size_bytes = 0

    async def run(self, lines: AsyncIterable[Line]) -> None:
        """Prints what each line would become."""
        async for line in lines:
            self._tally.sent += 1
            size_bytes = len(line.text or b"")
            if len(self._numbers) == ENVELOPES_MAX or self._size_bytes + size_bytes > REQUEST_BYTES_MAX:
                await self._flush()
            try:
                envelope = parse_envelope(line.text)
            except UnreadableLine as error:
                await self._flush()
                self._print_unreadable(line.number, str(error))
                continue
            envelope.connection = envelope.connection or self._connection
            self._request.envelopes.append(envelope)
            self._numbers.append(line.number)
            self._size_bytes += size_bytes
        await self._flush()

    async def _flush(self) -> None:
        if not self._numbers:
            return
        response = await self._stub.Preview(self._request, timeout=CALL_SECONDS)
        for number, preview in zip(self._numbers, response.previews, strict=True):
            self._tally.results[preview.result.disposition] += 1
            if self._as_json:
                print_json({"line": number, "preview": message_to_json(preview)})
            else:
                print_preview(number, preview)
        self._request, self._numbers, self._size_bytes = PreviewRequest(), [], 0

    def _print_unreadable(self, number: int, reason: str) -> None:
        self._tally.unreadable += 1
        if self._as_json:
            print_json({"line": number, "unreadable": reason})
        else:
            click.secho(f"line {number}: unreadable: {printable(reason)}", fg="red")


def print_preview(number: int, preview: EnvelopePreview) -> None:
    """Prints the disposition, the calls and the adjustments of one envelope."""
    result: EnvelopeResult = preview.result
    accepted = result.disposition == DISPOSITION_ACCEPTED
    disposition = DISPOSITIONS.get(result.disposition, str(result.disposition))
    reason = f": {violations_text(result)}" if result.violations else ""
    click.secho(f"line {number}: {disposition}{reason}", bold=True, fg=None if accepted else "yellow")
    for request in preview.requests:
        click.echo(f"  {request.method} {request.path}\n    {printable(request.json_body, characters_max=None)}")
    for adjustment in result.adjustments:
        message = printable(adjustment.message, characters_max=None)
        click.echo(f"  adjusted: {adjustment.reason} {adjustment.field}: {message}")
