"""Tests the command of the demo."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from daemons.process import COMMAND, WAIT_SECONDS, Daemon
from intercomd.v1 import ingest_pb2
from intercomd_daemon.cli.demo import builders, edge_cases, personas
from intercomd_daemon.cli.demo.command import Senders
from intercomd_daemon.sandbox import Sandbox
from senders.client import NOON

LAWS = 8


async def test_demo_runs_to_its_end_and_all_checks_hold(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path), "INTERCOMD_LOG_LEVEL": "not for the demo"}
    demo = await asyncio.create_subprocess_exec(COMMAND, "demo", stdout=asyncio.subprocess.PIPE, env=environment)
    async with asyncio.timeout(4 * WAIT_SECONDS):
        output = (await demo.communicate())[0].decode()
    sys.stdout.write(output)
    assert demo.returncode == 0
    lines = [line.strip() for line in output.splitlines()]
    assert sum(line.startswith("holds ") for line in lines) == LAWS
    (shown,) = [line for line in lines if " sent = " in line]
    sent, _, parts = shown.partition(" sent = ")
    assert int(sent) == sum(int(part.split()[0]) for part in parts.split(" + "))
    assert os.listdir(tmp_path) == [], "nothing is left behind"  # noqa: PTH208 - no path is needed


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("begun", [False, True])
async def test_demo_ended_by_a_signal_leaves_no_daemon(tmp_path: Path, number: signal.Signals, begun: bool) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    demo = await asyncio.create_subprocess_exec(COMMAND, "demo", stdout=asyncio.subprocess.PIPE, env=environment)
    assert demo.stdout is not None
    async with asyncio.timeout(WAIT_SECONDS):
        if begun:
            await demo.stdout.readline()
        else:  # The daemon has been started, and does not serve yet.
            while not _started(tmp_path):
                await asyncio.to_thread(os.sched_yield)
        for _ in range(2):
            demo.send_signal(number)
        await demo.communicate()
    assert demo.returncode == 128 + number
    assert _processes_of(tmp_path) == []
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - no path is needed


async def test_demo_ends_quietly_once_the_reader_of_its_output_has_gone(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    demo = await asyncio.create_subprocess_exec(
        COMMAND, "demo", stdout=writing, stderr=asyncio.subprocess.PIPE, env={**os.environ, "TMPDIR": str(tmp_path)}
    )
    os.close(writing)
    os.close(reading)
    async with asyncio.timeout(4 * WAIT_SECONDS):
        _, error = await demo.communicate()
    assert (demo.returncode, error) == (1, b"")
    assert _processes_of(tmp_path) == []
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - no path is needed


def _started(folder: Path) -> bool:
    return bool(list(folder.glob("*/daemon.log")))


def _processes_of(folder: Path) -> list[Path]:
    return [path for path in Path("/proc").glob("[0-9]*/cmdline") if str(folder).encode() in _content(path)]


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


ADA = personas.persona(0)


async def test_senders_get_results_in_order(tmp_path: Path) -> None:
    by_sender = {
        "one": [builders.sign_up(ADA, NOON), *edge_cases.skipped(ADA, NOON)],
        "two": edge_cases.rejected(NOON)[:2],
    }
    async with Sandbox() as sandbox:
        daemon = await Daemon(tmp_path, sandbox.base_url).start()
        senders = Senders(daemon.ingest_address)
        await senders.send(by_sender)
        await daemon.close()
    assert senders.published == 6
    assert [answered.step for answered in senders.answered] == [*by_sender["one"], *by_sender["two"]]
    accepted, skipped, rejected = (
        ingest_pb2.DISPOSITION_ACCEPTED,
        ingest_pb2.DISPOSITION_SKIPPED,
        ingest_pb2.DISPOSITION_REJECTED,
    )
    assert [answered.result.disposition for answered in senders.answered] == [accepted, *3 * [skipped], *2 * [rejected]]
    assert senders.dispositions == {accepted: 1, skipped: 3, rejected: 2}
