"""Opens the spool's file for use, and has it rebuilt first where it is damaged: a daemon goes on with what is readable.

It says loudly what was found. Nothing of the damaged file is deleted; what a repair does is not decided here.
"""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from intercomd_daemon.errors import SpoolUnusable
from intercomd_daemon.spool.sqlite import claimed_seconds
from intercomd_daemon.spool.sqlite.corruption import SpoolCorrupt, check_tables
from intercomd_daemon.spool.sqlite.counters import Counters, load_counters, open_counters
from intercomd_daemon.spool.sqlite.database import limit_log, open_database, usable
from intercomd_daemon.spool.sqlite.file import replacement
from intercomd_daemon.spool.sqlite.repair.rebuild import repair
from intercomd_daemon.spool.sqlite.settings import SpoolSettings

OnDamage = Callable[[str], None]
"""Told what was damaged, and what became of it, in words that name no user."""


class Opened(NamedTuple):
    """An open file whose tables are sound."""

    database: sqlite3.Connection
    counters: Counters
    seconds: bytes
    """The ring, as `seconds.recall` gives it."""


def open_file(settings: SpoolSettings, now: float, tell: OnDamage, *, left_open: bool = False) -> Opened:
    """Opens the file, made if it is not there; `now` is in Unix seconds, and of `left_open` see `what_is_gone`.

    Raises:
        SpoolUnusable: it cannot be used, and not be repaired.
    """
    with usable(settings.path):
        replacement.complete(settings.path)
        gone = describe_lost_content(settings.path, left_open=left_open)
    if gone:
        tell(gone)
    try:
        return _open(settings, now, leap=bool(gone))
    except SpoolCorrupt as damage:
        return repair_and_open(settings, str(damage), now, tell)


def repair_and_open(settings: SpoolSettings, damage: str, now: float, tell: OnDamage) -> Opened:
    """Has the file rebuilt of what is readable, and opens that; for whoever holds its lock and has it closed.

    Raises:
        SpoolUnusable: it cannot be rebuilt, and is as it was.
    """
    path = settings.path
    try:
        contents, kept = repair(path, now)
    except (OSError, sqlite3.Error) as error:
        with suppress(OSError):
            replacement.abandon(path)
        raise SpoolUnusable(
            f"{path} is damaged ({damage}), and could not be repaired: {error};"
            " make room on the disk, or name another file in spool.url"
        ) from error
    tell(
        f"{path} was damaged ({damage}), and has been rebuilt of what is readable: {contents.waiting} envelopes wait,"
        f" {contents.lost} that waited are lost; `intercomd spool verify {kept}`, the damaged file, says more"
    )
    try:
        return _open(settings, now)
    except SpoolCorrupt as error:
        raise SpoolUnusable(f"{path} is damaged again right after its repair: {error}; look at the disk") from error


def describe_lost_content(path: str, *, left_open: bool) -> str:
    """What to tell of content that is gone with its file; empty if nothing is, as far as the files themselves say.

    `left_open`: the daemon that had the spool last did not close it, and so left its write-ahead log.
    """
    if not Path(path).exists() or Path(path + replacement.LOG).exists():
        return ""
    if not Path(path).stat().st_size:
        return f"{path} is an empty file: what a daemon kept in it is lost"
    log = f"{path}{replacement.LOG} is missing, though the daemon that had the spool did not close it"
    return f"{log}: what it accepted last may be lost" if left_open else ""


def _open(settings: SpoolSettings, now: float, *, leap: bool = False) -> Opened:
    database = open_database(settings.path, now)
    try:
        with usable(settings.path):
            limit_log(database, settings.path)
            counted = load_counters(database)
            check_tables(database, sum(counted.used().values()))
            opened = open_counters(database, settings.connections, leap=leap)
            return Opened(database, opened, claimed_seconds.load(database))
    except (SpoolUnusable, SpoolCorrupt):
        database.close()
        raise
