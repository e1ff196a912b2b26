"""Fills a spool through its own engine with envelopes of users that are all in the contact cache.

A run fills each spool once, beside the folders of its rows; the rows work on copies.
"""

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
from children import environment
from envelopes import EVENT, created_at_of, envelope, envelope_id, metadata_of, user_of

from intercomd_daemon.deliver.lane.known_contact import Contact
from intercomd_daemon.envelope import AcceptedEnvelope, Priority, TrackEvent, lane_of
from intercomd_daemon.spool.base import Spool
from intercomd_daemon.spool.postgresql.engine import open_spool as open_database
from intercomd_daemon.spool.postgresql.settings import PostgresqlSettings
from intercomd_daemon.spool.record import pack
from intercomd_daemon.spool.rows import CachedContact, Incoming, Settlement
from intercomd_daemon.spool.sqlite import SqliteSettings, open_spool

CONNECTION = "default"
_AT_ONCE = 2_000


def row(number: int, users: int) -> Incoming:
    """Returns the row of envelope n, which takes one call."""
    user = user_of(number, users)
    at = created_at_of(number, users)
    name = envelope_id(number)
    events = (TrackEvent(EVENT, at, msgspec.json.encode(metadata_of(number))),)
    source = envelope(number % 1_000).SerializeToString()
    accepted = AcceptedEnvelope(name, user, "", float(at), events, (), "", source)
    return Incoming(CONNECTION, Priority.NORMAL, lane_of(user, ""), name, pack(accepted))


async def fill(path: str, rows: int, users: int) -> None:
    """Fills the spool at `path`, a file or a database, and closes it."""
    if path.startswith("postgresql:"):
        spool: Spool = await open_database(PostgresqlSettings(url=path, bytes_max=8 << 30))
    else:
        spool = await open_spool(SqliteSettings(path, bytes_max=8 << 30, free_bytes_min=0))
    outflow = await spool.acquire("backlog")
    nothing_known = Contact().pack()
    for start in range(0, users, _AT_ONCE):
        lanes = [lane_of(user_of(number, users), "") for number in range(start, min(start + _AT_ONCE, users))]
        entries = [CachedContact(lane, f"{start + place:024x}", nothing_known) for place, lane in enumerate(lanes)]
        await outflow.settle([Settlement(CONNECTION, contacts=entries)])
    for start in range(0, rows, _AT_ONCE):
        await spool.append([row(number, users) for number in range(start, min(start + _AT_ONCE, rows))])
    await outflow.release()
    await spool.close()


def fill_spool(path: object, rows: int, users: int) -> None:
    """Fills a spool in a process of its own, whose memory ends with it."""
    command = [sys.executable, __file__, str(path), str(rows), str(users)]
    subprocess.run(command, check=True, env=environment())  # noqa: S603 - ours


def bring(shelf: Path, folder: Path, rows: int, users: int) -> Path:
    """Copies a filled spool into the folder; fills it first if no row of this run has."""
    filled = shelf / f"{rows}-{users}.db"
    if not filled.exists():
        fill_spool(filled, rows, users)
    path = folder / "spool.db"
    shutil.copyfile(filled, path)
    os.sync()  # What is written later is not to wait for the copy.
    return path


if __name__ == "__main__":
    asyncio.run(fill(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
