"""Tests that the page for support shows the output of the commands."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemons.commands import invoke
from daemons.process import Daemon
from documents import DOCS, blocks
from intercomd.v1 import operations_pb2 as messages
from intercomd.v1.event_pb2 import OtherEvent
from intercomd_daemon.sandbox import Sandbox
from senders.client import envelope

VARIABLE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ|[0-9a-f]{8}-[0-9a-f-]{27}|(?<=dead-letters show )\d+|(?<=replay )\d+"
)


def examples(path: Path) -> Iterator[tuple[list[str], str]]:
    """Yields the words of each command on the page, and its output."""
    for block in blocks(path, "console"):
        command, _, output = block.partition("\n")
        assert command.startswith("$ intercomd ")
        yield command.split()[2:], output


def normalized(output: str) -> str:
    """Returns the output without what differs from run to run. Equal widths keep lines equal."""
    return re.sub(r"(?m)^ ?\d+(?=  <>)", "ID", VARIABLE.sub("<>", output.strip()))


async def prepare(daemon: Daemon, sandbox: Sandbox) -> None:
    """Publishes what the page shows."""
    sandbox.fault("POST /events 422 containing=refund times=1")
    await daemon.publish(
        envelope("42", "order-placed", email="ada@example.com", envelope_id="order-1001"),
        envelope("42", "refund", envelope_id="order-1002"),
        envelope("null", "order-placed", envelope_id="order-1003"),
        envelope("42", envelope_id="order-1004", other_event=OtherEvent(type="crash_report")),
    )
    await daemon.ended(["order-1001", "order-1002"])
    await daemon.operations.PauseConnection(messages.PauseConnectionRequest())
    await daemon.publish(envelope("43", "order-placed", envelope_id="order-1005"))


@pytest.mark.asyncio(loop_scope="module")
async def test_page_shows_the_output_of_its_commands(daemon: Daemon, sandbox: Sandbox) -> None:
    await prepare(daemon, sandbox)
    shown = dict.fromkeys(" ".join(words) for words, _ in examples(DOCS / "support.md"))
    assert len(shown) == 5
    for words, output in examples(DOCS / "support.md"):
        result = await invoke(*words, "--operations", daemon.operations_address, env={"COLUMNS": "80"})
        assert normalized(result.output) == normalized(output)
