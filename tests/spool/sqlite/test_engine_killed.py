"""A process that is killed while it appends: every acknowledged append is on disk, complete and in order."""

import asyncio
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from intercomd_daemon.envelope import AcceptedEnvelope, Priority
from intercomd_daemon.spool.record import unpack
from intercomd_daemon.spool.rows import Incoming
from intercomd_daemon.spool.sqlite import SqliteSettings, open_spool

# Appends rows of three envelopes from several callers until it is killed, and tells each batch that was acknowledged.
APPENDER = """
import asyncio, itertools, sys
from intercomd_daemon.envelope import AcceptedEnvelope, Priority
from intercomd_daemon.spool.rows import Incoming
from intercomd_daemon.spool.record import pack
from intercomd_daemon.spool.sqlite import SqliteSettings, open_spool

def row(name):
    accepted = AcceptedEnvelope(name, "ann", "", 0.0, (), (), "", bytes(500))
    return Incoming("default", Priority.NORMAL, "c:ann", name, pack(accepted))

async def main():
    spool = await open_spool(SqliteSettings(sys.argv[1], free_bytes_min=0))
    async def caller(number):
        for batch in itertools.count():
            name = f"{number}-{batch}"
            await spool.append([row(f"{name}-{place}") for place in range(3)])
            print(name, flush=True)
    await asyncio.gather(*(caller(number) for number in range(4)))

asyncio.run(main())
"""


async def test_acknowledged_appends_survive_a_kill(tmp_path: Path, row: Callable[..., Incoming]) -> None:
    path = str(tmp_path / "spool.db")
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", APPENDER, path, stdout=asyncio.subprocess.PIPE)
    acknowledged = [await child.stdout.readline() for _ in range(200)]
    child.send_signal(signal.SIGKILL)
    acknowledged += (await child.stdout.read()).splitlines(keepends=True)
    await child.wait()
    confirmed = [line.decode().strip() for line in acknowledged if line.endswith(b"\n")]

    spool = await open_spool(SqliteSettings(path, free_bytes_min=0))
    batch = await spool.read("default", Priority.NORMAL, 0, 1_000_000, 1 << 30)
    names = [unpack(each.data, AcceptedEnvelope).envelope_id for each in batch.rows]
    assert batch.corrupt == ()
    assert {f"{name}-{place}" for name in confirmed for place in range(3)} <= set(names)
    assert len(names) == len(set(names)) == spool.usage().connections["default"].normal
    for caller in range(4):
        own = [name.split("-")[1:] for name in names if name.startswith(f"{caller}-")]
        assert own == [[str(place // 3), str(place % 3)] for place in range(len(own))]
        assert len(own) % 3 == 0
    assert await spool.append([row(f"{confirmed[-1]}-0")]) == [0]
    await spool.close()
