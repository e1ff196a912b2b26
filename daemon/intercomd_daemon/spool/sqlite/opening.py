"""Opens the spool's file, and repairs it first where it is corrupt: the daemon continues with what is readable.

Each finding is reported. Nothing of the corrupt file is deleted.
"""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from intercomd_daemon.errors import SpoolUnusable
from intercomd_daemon.spool.sqlite import claimed_seconds, states
from intercomd_daemon.spool.sqlite.corruption import SpoolCorrupt, check_tables
from intercomd_daemon.spool.sqlite.counters import Counters, load_counters, open_counters
from intercomd_daemon.spool.sqlite.database import limit_log, open_database, usable
from intercomd_daemon.spool.sqlite.file import replacement
from intercomd_daemon.spool.sqlite.repair.rebuild import repair
from intercomd_daemon.spool.sqlite.settings import SqliteSettings

OnDamage = Callable[[str], None]
"""Called with a sentence on what was corrupt and what became of it; it names no user."""


class Opened(NamedTuple):
    """An open file whose tables are sound."""

    database: sqlite3.Connection
    counters: Counters
    seconds: bytes
    """The claimed seconds, as `claimed_seconds.load` returns them."""
    spool_id: str


def open_file(settings: SqliteSettings, now: float, report: OnDamage, *, left_open: bool = False) -> Opened:
    """Opens the file, creating it if it does not exist; `now` is in Unix seconds.

    `left_open`: see `describe_lost_content`.

    Raises:
        SpoolUnusable: the file cannot be used, and cannot be repaired.
    """
    with usable(settings.path):
        replacement.complete(settings.path)
        lost = describe_lost_content(settings.path, left_open=left_open)
    if lost:
        report(lost)
    try:
        return _open(settings, now, leap=bool(lost))
    except SpoolCorrupt as damage:
        return repair_and_open(settings, str(damage), now, report)


def repair_and_open(settings: SqliteSettings, damage: str, now: float, report: OnDamage) -> Opened:
    """Repairs the file and opens the result; the caller holds the lock and has the file closed.

    Raises:
        SpoolUnusable: it cannot be repaired, and is unchanged.
    """
    path = settings.path
    try:
        contents, kept = repair(path, now)
    except (OSError, sqlite3.Error) as error:
        with suppress(OSError):
            replacement.abandon(path)
        raise SpoolUnusable(
            f"{path} is damaged ({damage}) and could not be repaired: {error};"
            " free space on the disk, or set spool.url to another file"
        ) from error
    report(
        f"{path} was damaged ({damage}) and has been rebuilt from what is readable: {contents.waiting} envelopes wait,"
        f" {contents.lost} that waited are lost; for details run `intercomd spool verify {kept}` on the damaged file"
    )
    try:
        return _open(settings, now)
    except SpoolCorrupt as error:
        raise SpoolUnusable(f"{path} is damaged again right after its repair: {error}; check the disk") from error


def describe_lost_content(path: str, *, left_open: bool) -> str:
    """Returns which content is lost with its file, as far as the files show; empty if none is.

    `left_open`: the last daemon did not close the spool, so it must have left its write-ahead log.
    """
    if not Path(path).exists() or Path(path + replacement.WAL).exists():
        return ""
    if not Path(path).stat().st_size:
        return f"{path} is an empty file: what a daemon stored in it is lost"
    if not left_open:
        return ""
    return (
        f"{path}{replacement.WAL} is missing, though the last daemon did not close the spool:"
        " the envelopes that it accepted last may be lost"
    )


def _open(settings: SqliteSettings, now: float, *, leap: bool = False) -> Opened:
    database = open_database(settings.path, now)
    try:
        with usable(settings.path):
            limit_log(database, settings.path)
            counted = load_counters(database)
            check_tables(database, sum(counted.used().values()))
            opened = open_counters(database, settings.connections, leap=leap)
            return Opened(database, opened, claimed_seconds.load(database), states.spool_id(database))
    except BaseException:
        database.close()
        raise
