"""A disk that is full or fails: no accepted envelope is lost, the daemon reports it, and recovers by itself."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import grpc
import pytest

from daemons.on_faulty_disk import COMMAND, fail
from daemons.process import Daemon, Start
from disk.faulty import Fault, Kind
from intercomd.v1.ingest_pb2 import Disposition
from intercomd_daemon.sandbox import Sandbox
from senders.client import Refused, envelope

ACCEPTED = Disposition.DISPOSITION_ACCEPTED
MIB = 1 << 20
FAULTS = [
    (Fault(Kind.WRITE, full=True), "database or disk is full"),
    (Fault(Kind.WRITE), "disk I/O error"),
    (Fault(Kind.SYNC), "disk I/O error"),
]
"""With the reported errors."""


class OnDisk:
    """A daemon and the disk of its spool."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon

    async def fail(self, fault: Fault | None) -> None:
        await fail(self.daemon.logged("disk")[-1]["address"], fault)


@pytest.fixture
async def on_disk(tmp_path: Path, sandbox: Sandbox) -> AsyncIterator[OnDisk]:
    daemon = Daemon(tmp_path, sandbox.base_url, command=(*COMMAND, str(tmp_path)))
    yield OnDisk(await daemon.start())
    await daemon.close()


async def must_refuse(daemon: Daemon, text: str, name: str = "refused") -> None:
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await daemon.publish(envelope("u9", "Refused", envelope_id=name))
    refusal = Refused(ended.value)
    refusal.must_be_not_now()
    assert text in refusal.message


async def refusing(daemon: Daemon) -> bool:
    """Returns the metric; checks that the daemon is ready."""
    async with aiohttp.ClientSession(f"http://{daemon.http_address}") as pages:
        async with pages.get("/readyz") as ready:
            assert ready.status == 200
        async with pages.get("/metrics") as metrics:
            lines = (await metrics.text()).splitlines()
    return "intercomd_spool_refusing 1.0" in lines


async def test_failing_disk_refuses_requests_until_it_recovers(on_disk: OnDisk, sandbox: Sandbox) -> None:
    daemon = on_disk.daemon
    for number, (fault, text) in enumerate(FAULTS):
        await on_disk.fail(fault)
        for _ in range(3):
            await must_refuse(daemon, text, str(number))
        assert await refusing(daemon)
        await on_disk.fail(None)
        answer = await daemon.publish(envelope("u9", "Taken", at=number, envelope_id=str(number)))
        assert answer.results[0].disposition == ACCEPTED, "nothing of what was refused had been taken"
        await daemon.ended([str(number)])
        assert not await refusing(daemon)
    assert FAULTS[0][1] in daemon.logged("spool_refusing")[0]["reason"]
    await daemon.heard("spool_accepting")
    assert [event.name for event in sandbox.events] == ["Taken"] * len(FAULTS)


async def test_deliveries_wait_for_a_failing_disk_and_resume(on_disk: OnDisk, sandbox: Sandbox) -> None:
    """A user's next call leaves only when the last one's result is on disk."""
    daemon = on_disk.daemon
    await daemon.publish(*(envelope(f"u{user}", update={"known": True}, envelope_id=f"u{user}") for user in range(5)))
    await daemon.ended([f"u{user}" for user in range(5)])
    await sandbox.stop()
    names = [f"{user}-{number}" for number in range(4) for user in range(5)]
    await daemon.publish(*(envelope(f"u{name[0]}", "Step", at=int(name[2]), envelope_id=name) for name in names))
    await on_disk.fail(Fault(Kind.SYNC))
    await sandbox.start()
    await daemon.heard("spool_refusing")
    await sandbox.wait_for(lambda sandbox: len(sandbox.events) == 5, 60)
    assert await refusing(daemon)
    assert not any(daemon.outcomes[name] for name in names)
    assert len(sandbox.events) == 5
    await on_disk.fail(None)
    await daemon.ended(names)
    assert len(sandbox.events) == 20
    assert sandbox.repeats == []
    assert {daemon.outcomes[name] for name in names} == {1}


async def test_accepted_envelopes_survive_a_kill_on_a_failing_disk(on_disk: OnDisk, sandbox: Sandbox) -> None:
    daemon = on_disk.daemon
    await sandbox.stop()
    names = [str(number) for number in range(20)]
    await daemon.publish(*(envelope(f"u{number}", "Step", envelope_id=number) for number in names[:10]))
    await on_disk.fail(Fault(Kind.WRITE, full=True, after=3))
    await must_refuse(daemon, "full")
    await daemon.kill()
    await daemon.start()
    await daemon.publish(*(envelope(f"u{number}", "Step", envelope_id=number) for number in names[10:]))
    await sandbox.start()
    await daemon.ended(names)
    assert len(sandbox.events) == 20
    assert daemon.outcomes.total() == 20


async def test_daemon_stops_in_order_on_a_failing_disk(on_disk: OnDisk, sandbox: Sandbox) -> None:
    daemon = on_disk.daemon
    await sandbox.stop()
    await daemon.publish(envelope("u1", "Step", envelope_id="kept"))
    await on_disk.fail(Fault(Kind.WRITE))
    assert await daemon.hurry() == 0
    await sandbox.start()
    await daemon.start()
    await daemon.ended(["kept"])
    assert len(sandbox.events) == 1


async def test_low_free_space_refuses_requests_but_deliveries_continue(
    start: Start, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Freed space is noticed without a restart."""
    disk = os.statvfs(tmp_path)
    margin = 256 * MIB
    daemon = await start(spool={"free_bytes_min": disk.f_bavail * disk.f_frsize - margin})
    await sandbox.stop()
    large = tmp_path / "large"
    with large.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 2 * margin)
    taken = await fill(daemon)
    await must_refuse(daemon, "free_bytes_min")
    assert "free_bytes_min" in (await daemon.heard("spool_refusing"))["reason"]
    await sandbox.start()
    await daemon.ended(taken)
    assert await refusing(daemon)
    large.unlink()
    await daemon.publish(envelope("u2", "Room", envelope_id="room"))
    await daemon.ended(["room"])
    await daemon.heard("spool_accepting")
    assert len(sandbox.events) == len(taken) + 1


async def fill(daemon: Daemon) -> list[str]:
    """Publishes until a request is refused, as the free space is read ten times a second; returns the accepted ids."""
    taken = [f"taken {number}" for number in range(1_000)]
    for number, name in enumerate(taken):
        try:
            await daemon.publish(envelope("u1", "Step", at=number, envelope_id=name))
        except grpc.aio.AioRpcError:
            return taken[:number]
    raise AssertionError("never refused")
