"""Tests printing what lines would become, without sending them."""

import json
from collections.abc import AsyncIterator, Iterable

import pytest

from daemons.process import Daemon
from intercomd.v1 import ingest_pb2
from intercomd.v1.envelope_pb2 import Adjustment
from intercomd_daemon.cli.remote import ingest
from intercomd_daemon.cli.sending.lines import Line
from intercomd_daemon.cli.sending.preview import ENVELOPES_MAX, Preview, print_preview
from intercomd_daemon.cli.sending.results import Tally

GOOD = b'{"identity":{"customer_id":"p"},"user_attributes":[{"name":"plan","value":{"string_value":"pro"}}]}'


async def numbered(texts: Iterable[bytes | None]) -> AsyncIterator[Line]:
    for number, text in enumerate(texts, start=1):
        yield Line(number, text, 0)


async def preview(daemon: Daemon, *texts: bytes | None, as_json: bool = False, connection: str = "") -> Tally:
    tally = Tally()
    async with ingest(daemon.ingest_address) as stub:
        await Preview(stub, tally, connection, as_json=as_json).run(numbered(texts))
    return tally


@pytest.mark.asyncio(loop_scope="module")
async def test_preview_prints_the_calls_of_each_line(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    tally = await preview(daemon, GOOD, b"{", b'{"custom_event":{"name":"x"}}')
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [
        "line 1: accepted",
        "  POST /contacts",
        '    {"role":"user","external_id":"p","custom_attributes":{"plan":"pro"}}',
    ]
    assert [line.split(": ")[:2] for line in lines[3:]] == [["line 2", "unreadable"], ["line 3", "rejected"]]
    assert (tally.sent, tally.unreadable) == (3, 1)


@pytest.mark.asyncio(loop_scope="module")
async def test_preview_keeps_the_order_over_several_calls(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    await preview(daemon, *(2 * ENVELOPES_MAX + 1) * [GOOD], None, as_json=True)
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["line"] for each in printed] == list(range(1, 2 * ENVELOPES_MAX + 3))
    assert printed[0]["preview"]["requests"][0]["path"] == "/contacts"
    assert "unreadable" in printed[-1]


@pytest.mark.asyncio(loop_scope="module")
async def test_preview_uses_the_connection_of_the_command_line(
    daemon: Daemon, capsys: pytest.CaptureFixture[str]
) -> None:
    tally = await preview(daemon, GOOD, connection="mars")
    assert tally.results == {ingest_pb2.DISPOSITION_REJECTED: 1}
    assert "UNKNOWN_CONNECTION" in capsys.readouterr().out


def test_print_preview_shows_adjustments(capsys: pytest.CaptureFixture[str]) -> None:
    adjustment = Adjustment(reason="VALUE_TRUNCATED", field="name", message="it was too long\x1b")
    result = ingest_pb2.EnvelopeResult(disposition=ingest_pb2.DISPOSITION_ACCEPTED, adjustments=[adjustment])
    print_preview(7, ingest_pb2.EnvelopePreview(result=result))
    assert capsys.readouterr().out == ("line 7: accepted\n  adjusted: VALUE_TRUNCATED name: it was too long\\x1b\n")
