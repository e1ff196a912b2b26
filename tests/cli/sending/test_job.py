"""Tests sending a file, from its first line to its last result."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from daemons.process import WAIT_SECONDS, Daemon
from intercomd import EnvelopeResult, Publisher
from intercomd.v1 import ingest_pb2
from intercomd_daemon.cli.exits import CommandFailed
from intercomd_daemon.cli.sending.job import SendJob, Transfer
from intercomd_daemon.cli.sending.lines import Line
from intercomd_daemon.cli.sending.results import ResultPrinter, Tally
from intercomd_daemon.sandbox import Sandbox
from ports import free_port
from senders.client import NOON

LINES = 3000
USERS = 20


def job(path: Path, daemon: Daemon, **fields: object) -> SendJob:
    given: dict[str, object] = {
        "file": str(path),
        "target": daemon.ingest_address,
        "operations": daemon.operations_address,
        "operations_access": None,
        "connection": "",
        "validate_only": False,
        "preview": False,
        "wait": False,
        "rejected_path": None,
        "patience_seconds": WAIT_SECONDS,
        "as_json": False,
    }
    return SendJob(**(given | fields))


def write(path: Path) -> None:
    """Writes one click per second, of each user in turn."""
    with path.open("w") as file:
        for number in range(LINES):
            clicked = {
                "identity": {"customer_id": f"u{number % USERS}"},
                "event_time": datetime.fromtimestamp(NOON + number, UTC).isoformat(),
                "custom_event": {"name": "clicked"},
            }
            file.write(json.dumps(clicked) + "\n")


async def test_job_delivers_every_line_once_and_in_order_over_a_crash_of_the_daemon(tmp_path: Path) -> None:
    path = tmp_path / "envelopes.jsonl"
    write(path)
    async with Sandbox() as sandbox:
        fixed = {
            "ingest": {"listen": [f"127.0.0.1:{free_port()}"]},
            "operations": {"grpc_listen": f"127.0.0.1:{free_port()}"},
        }
        daemon = await Daemon(tmp_path, sandbox.base_url, fixed).start()
        tally = Tally()
        sending = asyncio.create_task(job(path, daemon, wait=True).run(tally))
        await daemon.until(lambda: len(daemon.outcomes) > LINES // 20)
        await daemon.kill()
        again = await Daemon(tmp_path, sandbox.base_url, fixed).start()
        await sending
        assert sum(tally.results.values()) == LINES
        assert (sum(tally.outcomes.values()), tally.outcomes_unknown, tally.successful) == (LINES, 0, True)
        came: dict[str | None, list[int]] = {}
        for event in sandbox.events:
            came.setdefault(event.external_id, []).append(event.created_at)
        assert came == {f"u{user}": list(range(NOON + user, NOON + LINES, USERS)) for user in range(USERS)}
        second = Tally()
        await job(path, again).run(second)
        assert second.summary("sent").startswith("sent 3,000 = accepted 0 + duplicates 3,000 +")
        await again.close()


async def test_job_counts_unanswered_lines_when_its_patience_ends(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    async with Sandbox() as sandbox:
        daemon = await Daemon(tmp_path, sandbox.base_url).start()
        tally = Tally()
        sending = asyncio.create_task(job(path, daemon, patience_seconds=0.0).run(tally))
        pipe = await asyncio.to_thread(path.open, "wb", buffering=0)
        pipe.write(b'{"envelope_id":"first","identity":{"customer_id":"1"},"custom_event":{"name":"first"}}\n')
        await daemon.ended(["first"])
        await daemon.kill()
        pipe.write(b'{"envelope_id":"second","identity":{"customer_id":"1"},"custom_event":{"name":"second"}}\n')
        pipe.close()
        with pytest.raises(CommandFailed, match="run the same command again"):
            await sending
    assert tally.summary("sent").endswith("unreadable 0 + unanswered 1")
    assert not tally.successful


async def test_job_names_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "envelopes.jsonl"
    write(path)
    async with Sandbox() as sandbox:
        daemon = await Daemon(tmp_path, sandbox.base_url).start()
        with pytest.raises(CommandFailed, match="nowhere"):
            await job(path, daemon, rejected_path=str(tmp_path / "nowhere" / "rejected.jsonl")).run(Tally())
        await daemon.close()


NAMED = b'{"envelope_id":"t-named","identity":{"customer_id":"t"},"custom_event":{"name":"one"}}'
UNNAMED = b'{"identity":{"customer_id":"t"},"custom_event":{"name":"two"}}'
NO_USER = b'{"connection":"default","custom_event":{"name":"three"}}'
SOME_LINES = (Line(1, NAMED, 10), Line(3, b"{", 20), Line(4, UNNAMED, 30), Line(5, NO_USER, 40), Line(6, UNNAMED, 50))


async def some_lines() -> AsyncIterator[Line]:
    for line in SOME_LINES:
        yield line


class RecordingProgress:
    def __init__(self) -> None:
        self.notices: list[str] = []
        self.read_bytes = 0

    def notify(self, text: str) -> None:
        self.notices.append(text.partition(":")[0])

    def update(self, activity: str, read_bytes: int) -> None:
        assert activity.endswith(" lines")
        self.read_bytes = read_bytes


async def transfer(daemon: Daemon, connection: str) -> tuple[Tally, RecordingProgress, list[EnvelopeResult]]:
    """Sends SOME_LINES, and returns the results as the publisher handed them over."""
    tally, progress = Tally(), RecordingProgress()
    results = ResultPrinter(tally, progress.notify, as_json=False, rejected=None)
    sending = Transfer(tally, results, progress, None, connection)
    results: list[EnvelopeResult] = []

    def on_results(batch: Sequence[EnvelopeResult]) -> None:
        results.extend(batch)
        sending.on_results(batch)

    async with Publisher(daemon.ingest_address, on_results=on_results) as publisher:
        await sending.run(some_lines(), publisher)
    assert sending.done_bytes == progress.read_bytes
    return tally, progress, results


@pytest.mark.asyncio(loop_scope="module")
async def test_transfer_assigns_results_to_lines_in_order(daemon: Daemon) -> None:
    tally, progress, results = await transfer(daemon, "default")
    accepted, rejected = ingest_pb2.DISPOSITION_ACCEPTED, ingest_pb2.DISPOSITION_REJECTED
    assert [result.disposition for result in results] == [accepted, accepted, rejected, accepted]
    named, first, no_user, second = (result.envelope_id for result in results)
    assert named == "t-named"
    assert first != second
    assert progress.notices == ["line 3", f"line 5 ({no_user})"]
    assert progress.read_bytes == 50
    assert (tally.sent, tally.unreadable, tally.unanswered) == (5, 1, 0)


@pytest.mark.asyncio(loop_scope="module")
async def test_transfer_gives_envelopes_without_a_connection_the_given_one(daemon: Daemon) -> None:
    tally, _, _ = await transfer(daemon, "mars")
    assert tally.results == {ingest_pb2.DISPOSITION_REJECTED: 4}
