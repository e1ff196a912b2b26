"""One sending from its first line to its last answer."""

import asyncio
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from daemons import WAIT_SECONDS, Daemon
from sending import NOON

from intercomd_daemon.cli.failures import Failed
from intercomd_daemon.cli.sending.job import Job
from intercomd_daemon.cli.sending.tally import Tally
from intercomd_daemon.sandbox import Sandbox

LINES = 3000
USERS = 20


def job(path: Path, daemon: Daemon, **fields: object) -> Job:
    given: dict[str, object] = {
        "file": str(path),
        "target": daemon.ingest_address,
        "operations": daemon.operations_address,
        "connection": "",
        "validate_only": False,
        "preview": False,
        "wait": False,
        "rejected_path": None,
        "patience_seconds": WAIT_SECONDS,
        "as_json": False,
    }
    return Job(**(given | fields))


def write(path: Path) -> None:
    """A click a second, of one user after the other."""
    with path.open("w") as file:
        for number in range(LINES):
            clicked = {
                "identity": {"customer_id": f"u{number % USERS}"},
                "event_time": datetime.fromtimestamp(NOON + number, UTC).isoformat(),
                "custom_event": {"name": "clicked"},
            }
            file.write(json.dumps(clicked) + "\n")


async def test_over_a_crash_of_the_daemon_nothing_is_lost_doubled_or_out_of_order(tmp_path: Path) -> None:
    path = tmp_path / "envelopes.jsonl"
    write(path)
    async with Sandbox() as sandbox:
        daemon = await Daemon(tmp_path, sandbox.base_url).start()
        fixed = {
            "ingest": {"listen": [daemon.ingest_address]},
            "operations": {"grpc_listen": daemon.operations_address},
        }
        tally = Tally()
        sending = asyncio.create_task(job(path, daemon, wait=True).run(tally))
        await daemon.until(lambda: len(daemon.outcomes) > LINES // 20)
        await daemon.kill()
        again = await Daemon(tmp_path, sandbox.base_url, fixed).start()
        await sending
        assert sum(tally.answered.values()) == LINES
        assert (sum(tally.outcomes.values()), tally.awaited, tally.well) == (LINES, 0, True)
        came: dict[str | None, list[int]] = {}
        for event in sandbox.events:
            came.setdefault(event.external_id, []).append(event.created_at)
        assert came == {f"u{user}": list(range(NOON + user, NOON + LINES, USERS)) for user in range(USERS)}
        second = Tally()
        await job(path, again).run(second)
        assert second.summary("sent").startswith("sent 3,000 = accepted 0 + duplicates 3,000 +")
        await again.close()


async def test_when_patience_ends_what_is_left_is_counted(tmp_path: Path) -> None:
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
        with pytest.raises(Failed, match="run the same command again"):
            await sending
    assert tally.summary("sent").endswith("unreadable 0 + unanswered 1")
    assert not tally.well


async def test_a_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    path = tmp_path / "envelopes.jsonl"
    write(path)
    async with Sandbox() as sandbox:
        daemon = await Daemon(tmp_path, sandbox.base_url).start()
        with pytest.raises(Failed, match="nowhere"):
            await job(path, daemon, rejected_path=str(tmp_path / "nowhere" / "rejected.jsonl")).run(Tally())
        await daemon.close()
