"""Lines go in their order, and each is answered under its number."""

from collections.abc import AsyncIterator

import pytest
from daemons import Daemon

from intercomd import Publisher
from intercomd.v1 import ingest_pb2
from intercomd_daemon.cli.sending.lines import Line
from intercomd_daemon.cli.sending.report import Report
from intercomd_daemon.cli.sending.tally import Tally
from intercomd_daemon.cli.sending.transfer import Transfer

pytestmark = pytest.mark.asyncio(loop_scope="module")

NAMED = b'{"envelope_id":"t-named","identity":{"customer_id":"t"},"custom_event":{"name":"one"}}'
UNNAMED = b'{"identity":{"customer_id":"t"},"custom_event":{"name":"two"}}'
NOBODY = b'{"connection":"default","custom_event":{"name":"three"}}'
LINES = (Line(1, NAMED, 10), Line(3, b"{", 20), Line(4, UNNAMED, 30), Line(5, NOBODY, 40), Line(6, UNNAMED, 50))


async def some_lines() -> AsyncIterator[Line]:
    for line in LINES:
        yield line


class Watcher:
    def __init__(self) -> None:
        self.seen: list[tuple[str, int]] = []
        self.left: list[str] = []
        self.read_bytes = 0

    async def leaves(self, envelope_id: str) -> None:
        self.left.append(envelope_id)

    def answered(self, envelope_id: str, disposition: int) -> None:
        self.seen.append((envelope_id, disposition))

    def reached(self, read_bytes: int) -> None:
        self.read_bytes = read_bytes

    def tell(self, text: str) -> None:
        self.seen.append((text.partition(":")[0], -1))


async def test_each_line_is_answered_in_order(daemon: Daemon) -> None:
    tally, watcher = Tally(), Watcher()
    transfer = Transfer(tally, Report(tally, watcher, as_json=False, rejected=None), watcher, "default")
    async with Publisher(daemon.ingest_address, on_results=transfer.on_results) as publisher:
        await transfer.send(some_lines(), publisher)
    named, first, nobody, second = watcher.left
    accepted, rejected = ingest_pb2.DISPOSITION_ACCEPTED, ingest_pb2.DISPOSITION_REJECTED
    assert named == "t-named"
    assert first != second
    assert watcher.seen == [
        ("line 3", -1),
        (named, accepted),
        (first, accepted),
        (nobody, rejected),
        (f"line 5 ({nobody})", -1),
        (second, accepted),
    ]
    assert watcher.read_bytes == 50
    assert (tally.sent, tally.unreadable, tally.unanswered) == (5, 1, 0)


async def test_envelopes_that_name_no_connection_get_the_given_one(daemon: Daemon) -> None:
    tally, watcher = Tally(), Watcher()
    transfer = Transfer(tally, Report(tally, watcher, as_json=False, rejected=None), watcher, "mars")
    async with Publisher(daemon.ingest_address, on_results=transfer.on_results) as publisher:
        await transfer.send(some_lines(), publisher)
    assert tally.answered == {ingest_pb2.DISPOSITION_REJECTED: 4}
