"""Standard error that is not read, is closed or is on a full disk: the daemon continues and counts lost lines."""

import asyncio
import json
import os
import signal
from pathlib import Path

import aiohttp
import grpc
import pytest

from daemons.commands import launch
from daemons.process import COMMAND, WAIT_SECONDS, Daemon, Start, write_settings
from intercomd.v1.ingest_pb2 import Disposition
from intercomd_daemon.sandbox import Sandbox
from senders.client import envelope

REJECTED = 12_000
"""Lines of some 240 bytes: more than the pipe and the buffer hold."""


async def reject(daemon: Daemon, first: int = 0, count: int = REJECTED) -> None:
    """Has a line logged for each envelope, whose id is its number."""
    for start in range(first, first + count, 500):
        numbers = range(start, min(start + 500, first + count))
        answer = await daemon.publish(*(envelope("", "Step", envelope_id=str(number)) for number in numbers))
        assert {result.disposition for result in answer.results} == {Disposition.DISPOSITION_REJECTED}


async def lost(daemon: Daemon) -> int:
    async with aiohttp.ClientSession(f"http://{daemon.http_address}") as pages:
        async with pages.get("/healthz") as health:
            assert health.status == 200
        async with pages.get("/metrics") as metrics:
            lines = (await metrics.text()).splitlines()
    (value,) = [line.split()[1] for line in lines if line.startswith("intercomd_log_lines_lost_total ")]
    return int(float(value))


def must_account_for_all(daemon: Daemon, count: int) -> None:
    """Each line was written in its order, or is counted where it is missing."""
    expected = 0
    for line in daemon.since_start():
        if line["event"] == "log_lines_lost":
            expected += line["lines"]
        elif line["event"] == "rejected":
            assert int(line["envelope_id"]) == expected
            expected += 1
    assert expected == count


@pytest.mark.fills("telemetry.log_stream.BUFFER_BYTES_MAX")
async def test_unread_log_blocks_nothing_and_counts_lost_lines(start: Start, sandbox: Sandbox) -> None:
    daemon = await start()
    await daemon.heard("connection", state="delivering")  # No other line than those of the test may be lost.
    daemon.read_log(on=False)
    await reject(daemon)
    missing = await lost(daemon)
    assert 0 < missing < REJECTED
    await daemon.publish(*(envelope(f"u{number}", "Step", envelope_id=f"e{number}") for number in range(100)))
    await sandbox.wait_for(lambda sandbox: len(sandbox.events) == 100, 60)
    daemon.read_log(on=True)
    reported = await daemon.heard("log_lines_lost")
    assert reported["level"] == "warning"
    await reject(daemon, REJECTED, 1)
    await daemon.heard("rejected", envelope_id=str(REJECTED))
    written = len(daemon.logged("rejected")) + len(daemon.logged("outcome"))
    assert sum(line["lines"] for line in daemon.logged("log_lines_lost")) == await lost(daemon)
    assert written + await lost(daemon) == REJECTED + 101


async def test_log_lines_keep_their_order_around_a_loss(start: Start) -> None:
    daemon = await start()
    await daemon.heard("connection", state="delivering")  # No other line than those of the test may be lost.
    daemon.read_log(on=False)
    await reject(daemon)
    daemon.read_log(on=True)
    await daemon.heard("log_lines_lost")
    await reject(daemon, REJECTED, 10)
    await daemon.heard("rejected", envelope_id=str(REJECTED + 9))
    must_account_for_all(daemon, REJECTED + 10)


@pytest.mark.fills("telemetry.log_stream.FLUSH_SECONDS")
async def test_daemon_with_an_unread_log_stops_in_order(tmp_path: Path, sandbox: Sandbox) -> None:
    """It leaves whole lines."""
    daemon = await Daemon(tmp_path, sandbox.base_url).start()
    daemon.read_log(on=False)
    await reject(daemon)
    daemon.signal(signal.SIGTERM)
    daemon.signal(signal.SIGTERM)
    await daemon.exited()
    daemon.read_log(on=True)
    assert await daemon.gone() == 0
    await daemon.close()


async def test_last_log_lines_are_written_before_the_exit(tmp_path: Path, sandbox: Sandbox) -> None:
    daemon = await Daemon(tmp_path, sandbox.base_url).start()
    await reject(daemon, count=2_000)
    assert await daemon.hurry() == 0
    must_account_for_all(daemon, 2_000)
    assert daemon.lines[-1]["event"] == "stopped"
    await daemon.close()


async def test_closed_log_reader_is_counted(tmp_path: Path, sandbox: Sandbox) -> None:
    daemon = await Daemon(tmp_path, sandbox.base_url).start()
    daemon.close_log()
    await reject(daemon, count=600)
    async with asyncio.timeout(WAIT_SECONDS):
        while not await lost(daemon):
            pass
    assert await daemon.stop() == 0
    await daemon.close()


@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-", ">&- 2>&- <&-", "2>&- 0</dev/null >/dev/full"])
async def test_full_or_closed_standard_error_blocks_nothing(tmp_path: Path, sandbox: Sandbox, redirection: str) -> None:
    tables = {
        "ingest": {"listen": [f"unix:{tmp_path}/ingest"]},
        "operations": {"listen": f"unix:{tmp_path}/http", "grpc_listen": f"unix:{tmp_path}/operations"},
    }
    settings = write_settings(tmp_path, sandbox.base_url, tables)
    process = await asyncio.create_subprocess_exec(
        *("/bin/sh", "-c", f'exec "$0" run --config "$1" {redirection}', str(COMMAND), str(settings)), cwd=tmp_path
    )
    async with grpc.aio.insecure_channel(f"unix:{tmp_path}/ingest") as channel, asyncio.timeout(WAIT_SECONDS):
        await channel.channel_ready()
    sending = await launch("send", "--target", f"unix:{tmp_path}/ingest", "-")
    sent = await sending.ended(b'{"identity":{"customer_id":"42"},"custom_event":{"name":"signed-up"}}')
    assert sent[0] == 0, sent
    await sandbox.wait_for(lambda sandbox: len(sandbox.events) == 1, 60)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0


async def test_log_on_a_terminal_is_written_line_by_line(tmp_path: Path, sandbox: Sandbox) -> None:
    ours, theirs = os.openpty()
    settings = write_settings(tmp_path, sandbox.base_url, {})
    process = await asyncio.create_subprocess_exec(str(COMMAND), "run", "--config", str(settings), stderr=theirs)
    os.close(theirs)
    with os.fdopen(ours, closefd=True) as terminal:
        while json.loads(await asyncio.to_thread(terminal.readline))["event"] != "serving":
            pass
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
