"""Decides whether appends are accepted, and if not, why: the quota, the disk, or another file in the spool's place.

It is used in the writer's thread, and reports when the answer has changed. It looks at the disk at most ten times a
second.
"""

import os
import sqlite3
from collections.abc import Callable
from math import inf
from pathlib import Path

from intercomd_daemon.errors import SpoolFull
from intercomd_daemon.spool.quota import RETRY_SECONDS, DiskSpace, Quota, free_refusal, reserved
from intercomd_daemon.spool.sqlite.counters import Counters
from intercomd_daemon.spool.sqlite.file.replacement import WAL

_DISK_ERRORS = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}
_PRIMARY_CODE = 0xFF
_REMEDY_FILE = "put it back, or restart the daemon once no envelope waits"
_REMEDY_LOG = "restart the daemon, which writes everything to the spool's file when it stops"
FREE_SPACE_SECONDS = 0.1
"""How long a reading of the free space is used: no disk takes the 256 MiB that are kept free by default in less."""
REPORT_SECONDS = 1.0
"""Between two reports that appends are refused: on the brink of full the answer changes with each request."""


def is_disk_error(error: BaseException) -> bool:
    """Whether the disk is full or fails. That may pass, so the same operation may succeed later."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, sqlite3.Error) and code is not None and code & _PRIMARY_CODE in _DISK_ERRORS


class Admission:
    """The reasons for which appends are refused at present."""

    def __init__(
        self, path: str, quota: Quota, free_bytes_min: int, on_change: Callable[[str], None] = lambda _: None
    ) -> None:
        """`path` is the spool's file; the free space is that of its folder's disk.

        `on_change` is called with the reason when appends start to be refused, and with "" when they are accepted
        again.
        """
        self._file = Path(path).absolute()
        self._log = Path(f"{self._file}{WAL}")
        self._inodes: dict[Path, int] = {}
        """The files that the database has open."""
        self._quota = quota
        self._free_bytes_min = free_bytes_min
        self._space: DiskSpace | None = None
        self._free_read_at = -inf
        self._unseen_bytes = 0
        """Admitted since the free space was read."""
        self._begun_bytes = 0
        """Those of them in this transaction."""
        self._low = ""
        """Why the free space forbids appends, as last read."""
        self._moved = ""
        """Which open file is not in its place any more, as of the same time."""
        self._append_error = ""
        self._delivery_error = ""
        self._on_change = on_change
        self._now = 0.0
        self._reported, self._reported_at = False, -inf
        self._refused: dict[str, int] = {}
        self.reason = ""
        """Why appends are refused; empty if they are accepted."""

    def set_connections(self, names: tuple[str, ...]) -> None:
        """Shares the quota among these connections from now on."""
        self._quota = self._quota._replace(connections=names)

    def opened(self) -> None:
        """Remembers the files of a database that was just opened."""
        self._inodes = {}
        self._moved = self._find_moved()

    def begin(self, now: float) -> None:
        """Begins a transaction at `now`, by a clock that does not jump."""
        self._now = now
        self.report_change()
        self._begun_bytes = 0
        if self._low or self._moved or not now - self._free_read_at < FREE_SPACE_SECONDS:
            self._space = None

    def admit(self, counters: Counters, new: dict[str, int], rows: int) -> None:
        """Checks that `rows` new rows, of `new` bytes by connection, have room.

        Raises:
            SpoolFull: they have none.
        """
        refusal = self._quota.refusal(counters.used(), new)
        self._refused = new if refusal else self._refused
        size = sum(new.values())
        refusal = refusal or self._disk_refusal(size, counters.waiting() + rows)
        if refusal:
            self.reason = refusal
            raise SpoolFull(refusal, RETRY_SECONDS)
        self._count(size)

    def has_room(self, counters: Counters, size: int) -> bool:
        """Returns whether the disk has room for `size` bytes that settling can leave out, and if so counts them.

        A file that was moved has room: it may be put back.
        """
        if self._free_refusal(size, counters.waiting()):
            return False
        self._count(size)
        return True

    def _count(self, size: int) -> None:
        self._unseen_bytes += size
        self._begun_bytes += size

    def committed(self, counters: Counters, *, grown: bool) -> None:
        """Records a commit. The reason goes once an append succeeded, or the refused one would have room now."""
        self.disk_works()
        if grown:
            self._refused, self._append_error = {}, ""
        if not self.reason:
            return
        quota = self._quota.refusal(counters.used(), self._refused) if self._refused else ""
        if not quota:
            self._refused = {}
        self.reason = quota or self._append_error or self._disk_refusal(0, counters.waiting())

    def disk_works(self) -> None:
        """Records that an operation succeeded on the disk."""
        if self._delivery_error and self.reason == self._delivery_error:
            self.reason = self._append_error
        self._delivery_error = ""

    def append_failed(self, error: sqlite3.Error) -> SpoolFull:
        """Records that the disk refused an append, until one succeeds; returns the error for its caller."""
        self._append_error = f"the disk refuses: {error}"
        self.reason = self._append_error
        return SpoolFull(self._append_error, RETRY_SECONDS)

    def delivery_failed(self, error: sqlite3.Error) -> SpoolFull:
        """Records that the disk refused an operation of the deliverer, until it works again; returns the error."""
        self._delivery_error = f"the disk refuses: {error}"
        self.reason = self.reason or self._delivery_error
        return SpoolFull(self._delivery_error, RETRY_SECONDS)

    def report_change(self) -> None:
        """Reports if appends began to be refused or to be accepted since the last report."""
        if bool(self.reason) == self._reported or (self.reason and self._now - self._reported_at < REPORT_SECONDS):
            return
        self._reported = bool(self.reason)
        self._reported_at = self._now if self.reason else self._reported_at
        self._on_change(self.reason)

    def _disk_refusal(self, new_bytes: int, rows: int) -> str:
        """Returns why the disk takes no appends: an open file was moved, or room is missing; else an empty text."""
        low = self._free_refusal(new_bytes, rows)
        return self._moved or low

    def _free_refusal(self, new_bytes: int, rows: int) -> str:
        """Returns why the disk has no room for `new_bytes` more if `rows` wait; empty if it has.

        It never refuses by an old reading.
        """
        fresh = self._space is None
        self._low = self._refusal_as_read(new_bytes, rows)
        if self._low and not fresh:
            self._space = None
            self._low = self._refusal_as_read(new_bytes, rows)
        return self._low

    def _refusal_as_read(self, new_bytes: int, rows: int) -> str:
        if self._space is None:
            self._moved = self._find_moved()
            try:
                self._space = read_space(self._file)
            except OSError as error:
                return f"the disk's free space cannot be read: {error.strerror}"
            self._free_read_at, self._unseen_bytes = self._now, self._begun_bytes
        needed = reserved(self._unseen_bytes + new_bytes, rows, self._space)
        return free_refusal(self._space.free_bytes, self._free_bytes_min, needed)

    def _find_moved(self) -> str:
        """Returns which open file is not in its place any more, and what to do; empty if both are.

        What is written to such a file is gone once the daemon ends. Like SQLite, compares the numbers of inodes:
        "a file that is deleted or renamed while open" (SQLITE_READONLY_DBMOVED), which it does without a
        write-ahead log alone.
        """
        for file, remedy in ((self._file, _REMEDY_FILE), (self._log, _REMEDY_LOG)):
            inode = _inode(file)
            if inode != self._inodes.get(file, inode):
                return f"{file} was removed, renamed or replaced while the daemon has it open: {remedy}"
            if inode:
                self._inodes[file] = inode
        return ""


def _inode(file: Path) -> int:
    try:
        return file.stat().st_ino
    except OSError:
        return 0


def read_space(file: Path) -> DiskSpace:
    """Reads the space of the disk that a spool's file is on, or would be created on."""
    disk = os.statvfs(file.parent)
    return DiskSpace(
        free_bytes=disk.f_bavail * disk.f_frsize,
        volume_bytes=disk.f_blocks * disk.f_frsize,
        file_bytes=_size(file),
        log_bytes=_size(Path(f"{file}{WAL}")),
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
