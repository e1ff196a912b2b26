"""Fills the spool of a small volume: `python small_volume.py FOLDER LOAD`, with a `Load` in JSON.

It appends until the spool refuses, exits without closing it, opens it again, settles every accepted envelope, and
prints the counts as JSON. `command` does so on a volume of its own.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from intercomd_daemon.envelope import AcceptedEnvelope, Priority, TrackEvent, lane_of, operations_of
from intercomd_daemon.errors import SpoolFull
from intercomd_daemon.outcome import OutcomeType
from intercomd_daemon.spool import record
from intercomd_daemon.spool.rows import Completion, Incoming, Settlement
from intercomd_daemon.spool.sqlite import SqliteSettings, open_spool

sys.path.append(str(Path(__file__).parent.parent))  # where pytest finds it too

from spool.model import NOON, Held, end_of

CONNECTION = "default"
_PAGE_ROWS = 200


class Load(NamedTuple):
    """What fills the volume, and how it ends."""

    free_bytes_min: int
    row_bytes: int
    rows: int
    """Envelopes in a request."""
    dead: int
    """Each envelope of which number is a dead letter, with all its events refused."""
    answer_bytes: int
    """Of Intercom's response kept with it."""
    events: int = 2
    """Of each envelope."""
    id_bytes: int = 1
    """Of each customer id and envelope id, at least."""


def command(folder: Path, volume_bytes: int, load: Load) -> Sequence[str]:
    """Returns the command that runs on a volume of this size, which is mounted at `folder` for it alone."""
    script = f'mount -t tmpfs -o size={volume_bytes} tmpfs "$1" && exec "$0" "{__file__}" "$@"'
    return ("unshare", "-rm", "/bin/sh", "-c", script, sys.executable, str(folder), json.dumps(load))


def _settings(folder: str, free_bytes_min: int) -> SqliteSettings:
    return SqliteSettings(f"{folder}/spool.db", free_bytes_min=free_bytes_min, connections=(CONNECTION,))


def _row(priority: Priority, number: int, load: Load) -> Incoming:
    user, name = (text.ljust(load.id_bytes, "x") for text in (f"u{number % 500}", str(number)))
    metadata = b'{"Currency Code":"USD","Product Id":"12345"}'
    events = (("eCommerce - Purchase - Item", int(NOON) + place) for place in range(load.events))
    made = tuple(TrackEvent(*event, metadata) for event in events)
    operations = operations_of(user, "", {"plan": "pro"}, made)
    envelope = AcceptedEnvelope(name, user, "", NOON, operations, (), "", bytes(load.row_bytes))
    return Incoming(CONNECTION, priority, lane_of(user, ""), name, record.pack(envelope))


def _end(key: int, incoming: Incoming, reason: str, answer_bytes: int) -> Completion:
    """How a row ends; with a reason, Intercom refused each of its events."""
    ended = end_of(key, Held(incoming, record.unpack(incoming.data, AcceptedEnvelope)), reason)
    if not reason:
        return ended
    refused = [
        replace(each, type=OutcomeType.DEAD_LETTERED, reason=reason, intercom_request_id=f"{key:032d}")
        for each in ended.outcome.effects
    ]
    return replace(ended, outcome=replace(ended.outcome, effects=tuple(refused)), answer_body="x" * answer_bytes)


async def _fill(settings: SqliteSettings, load: Load) -> None:
    """Appends normal and bulk requests in turn until one is refused; exits with the spool open."""
    spool = await open_spool(settings)
    accepted = 0
    while True:
        priority = (Priority.NORMAL, Priority.BULK)[accepted // load.rows % 2]
        names = range(accepted, accepted + load.rows)
        request = [_row(priority, name, load) for name in names]
        try:
            await spool.append(request)
        except SpoolFull as refusal:
            sys.stdout.write(json.dumps([accepted, str(refusal)]) + "\n")
            sys.stdout.flush()
            os._exit(0)
        accepted += load.rows


async def _drain(settings: SqliteSettings, load: Load) -> None:
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
                reason = "" if len(names) % load.dead else "REQUEST_INVALID"
                ended.append(_end(row.key, incoming, reason, load.answer_bytes))
            async with asyncio.timeout(60):
                await spool.settle([Settlement(CONNECTION, ended)])
            after = batch.rows[-1].key
    usage = spool.usage().connections[CONNECTION]
    await spool.close()
    await (await open_spool(settings)).close()
    sys.stdout.write(json.dumps([len(set(names)), usage.normal + usage.bulk, usage.dead_letters]) + "\n")


def _main() -> None:
    load = Load(*json.loads(sys.argv[2]))
    settings = _settings(sys.argv[1], load.free_bytes_min)
    if len(sys.argv) > 3:
        asyncio.run(_fill(settings, load))
        return
    # Its own process, so that it can die.
    subprocess.run([sys.executable, __file__, *sys.argv[1:], "fill"], check=True)  # noqa: S603 - ourselves
    asyncio.run(_drain(settings, load))


if __name__ == "__main__":
    _main()
