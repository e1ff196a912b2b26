"""The maintenance of the SQLite engine."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from intercomd_daemon.errors import SpoolLocked, SpoolUnusable
from intercomd_daemon.spool.maintenance import FILE, Damage, DamageReport, Exported, Repaired
from intercomd_daemon.spool.sqlite.file.replacement import real_path
from intercomd_daemon.spool.sqlite.inspection import foreign_problem
from intercomd_daemon.spool.sqlite.lock import hold
from intercomd_daemon.spool.sqlite.opening import describe_lost_content
from intercomd_daemon.spool.sqlite.repair.export import export
from intercomd_daemon.spool.sqlite.repair.rebuild import repair
from intercomd_daemon.spool.sqlite.repair.verify import verify


class ClosedSqliteSpool:
    """A spool's file whose lock is held; `maintenance.ClosedSpool` documents each method."""

    def __init__(self, path: str, damages: list[Damage]) -> None:
        """`damages` show without reading the file."""
        self._path = path
        self.damages = damages

    def verify(self) -> DamageReport:
        """Checks every record."""
        return verify(self._path)

    def export(self, now: float, findings: DamageReport, *, dead_letters: bool) -> Iterator[Exported]:
        """Returns what waits."""
        return export(self._path, now, findings, dead_letters=dead_letters)

    def repair(self, now: float) -> Repaired:
        """Replaces the file by a rebuilt one."""
        return repair(self._path, now)


class SqliteMaintenance:
    """Locks files for maintenance."""

    @contextmanager
    def lock(self, path: str, password_file: str = "") -> Iterator[ClosedSqliteSpool]:  # noqa: ARG002 - a file has none
        """Locks the spool; see `maintenance.Maintenance`."""
        path = real_path(path)
        if problem := foreign_problem(path):
            raise SpoolUnusable(problem)
        holders: list[str] = []
        try:
            lock = asyncio.run(hold(path, 0.0, holders.append))
        except SpoolLocked:
            raise SpoolLocked(f"{holders[0]} has {path} open: stop that daemon first") from None
        try:
            lost = describe_lost_content(path, left_open=lock.left_open)
            if not lost:
                lock.closing()
            yield ClosedSqliteSpool(path, [Damage(FILE, 0, "", lost)] if lost else [])
        except BrokenPipeError:  # the reader of the command's output has gone
            raise
        except (OSError, sqlite3.Error) as error:
            raise SpoolUnusable(f"{path}: {error}; look at the disk's room, and at the file's permissions") from error
        finally:
            lock.release()
