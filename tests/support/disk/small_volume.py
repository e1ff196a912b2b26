"""Fills the spool of a small volume: `python small_volume.py FOLDER FREE_BYTES_MIN ROW_BYTES ROWS DEAD ANSWER_BYTES`.

It appends until the spool refuses, exits without closing it, opens it again, settles every accepted envelope, each
DEAD-th as a dead letter with an answer of ANSWER_BYTES, and prints the counts as JSON. `command` does so on a volume of
its own.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from intercomd_daemon.envelope import AcceptedEnvelope, Priority
from intercomd_daemon.errors import SpoolFull
from intercomd_daemon.spool import record
from intercomd_daemon.spool.base import Incoming, Settlement
from intercomd_daemon.spool.sqlite import SqliteSettings, open_spool

sys.path.append(str(Path(__file__).parent.parent))  # where pytest finds it too

from spool.model import Held, end_of, made

CONNECTION = "default"
_PAGE_ROWS = 200


def command(folder: Path, volume_bytes: int, *numbers: int) -> Sequence[str]:
    """Returns the command that runs on a volume of this size, which is mounted at `folder` for it alone."""
    script = f'mount -t tmpfs -o size={volume_bytes} tmpfs "$1" && exec "$0" "{__file__}" "$@"'
    return ("unshare", "-rm", "/bin/sh", "-c", script, sys.executable, str(folder), *map(str, numbers))


def _settings(folder: str, free_bytes_min: int) -> SqliteSettings:
    return SqliteSettings(f"{folder}/spool.db", free_bytes_min=free_bytes_min, connections=(CONNECTION,))


async def _fill(settings: SqliteSettings, row_bytes: int, rows: int) -> None:
    """Appends normal and bulk requests in turn until one is refused; exits with the spool open."""
    spool = await open_spool(settings)
    accepted = 0
    while True:
        priority = (Priority.NORMAL, Priority.BULK)[accepted // rows % 2]
        names = range(accepted, accepted + rows)
        request = [
            made(CONNECTION, priority, f"u{name % 500}", str(name), row_bytes, recognised=True) for name in names
        ]
        try:
            await spool.append(request)
        except SpoolFull as refusal:
            sys.stdout.write(json.dumps([accepted, str(refusal)]) + "\n")
            sys.stdout.flush()
            os._exit(0)
        accepted += rows


async def _drain(settings: SqliteSettings, dead: int, answer_bytes: int) -> None:
    """Opens the spool, settles all that waits, and opens it once more."""
    spool = await open_spool(settings)
    names: list[str] = []
    for priority in (Priority.NORMAL, Priority.BULK):
        after = 0
        while (batch := await spool.read(CONNECTION, priority, after, _PAGE_ROWS, 1 << 20)).rows:
            ended = []
            for row in batch.rows:
                envelope = record.unpack(row.data, AcceptedEnvelope)
                names.append(envelope.envelope_id)
                incoming = Incoming(CONNECTION, priority, "", envelope.envelope_id, row.data)
                reason = "" if len(names) % dead else "REQUEST_INVALID"
                completion = end_of(row.key, Held(incoming, envelope), reason)
                ended.append(completion._replace(answer_body="x" * answer_bytes if reason else ""))
            async with asyncio.timeout(60):
                await spool.settle([Settlement(CONNECTION, ended)])
            after = batch.rows[-1].key
    usage = spool.usage().connections[CONNECTION]
    await spool.close()
    await (await open_spool(settings)).close()
    sys.stdout.write(json.dumps([len(set(names)), usage.normal + usage.bulk, usage.dead_letters]) + "\n")


def _main() -> None:
    folder, free_bytes_min, row_bytes, rows, dead, answer_bytes = sys.argv[1], *map(int, sys.argv[2:7])
    settings = _settings(folder, free_bytes_min)
    if len(sys.argv) > 7:
        asyncio.run(_fill(settings, row_bytes, rows))
        return
    # Its own process, so that it can die.
    subprocess.run([sys.executable, __file__, *sys.argv[1:], "fill"], check=True)  # noqa: S603 - ourselves
    asyncio.run(_drain(settings, dead, answer_bytes))


if __name__ == "__main__":
    _main()
