"""Whether more may be taken at present, and why not: the quota, the disk's free space, or the last error of the disk.

It says so when that has changed. It asks the disk for its free space at most ten times a second, and is asked itself in
the spool's thread.
"""

import os
import sqlite3
from collections.abc import Callable
from math import inf
from pathlib import Path

from intercomd_daemon.errors import SpoolFull
from intercomd_daemon.spool.quota import RETRY_SECONDS, Quota, free_refusal
from intercomd_daemon.spool.sqlite.ledger import Ledger

_OF_THE_DISK = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}
_PRIMARY = 0xFF
FREE_SECONDS = 0.1
"""How long the disk's word holds: no disk takes the 256 MiB that are usually kept free in less."""
TOLD_SECONDS = 1.0
"""Before it is said again that no more is taken: on the brink of full that changes with each request."""


def is_of_the_disk(error: BaseException) -> bool:
    """Whether the disk is full or fails, which may pass, so that the same operation may succeed later."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, sqlite3.Error) and code is not None and code & _PRIMARY in _OF_THE_DISK


class Gate:
    """The state of what forbids appends."""

    def __init__(
        self, path: str, quota: Quota, free_bytes_min: int, on_change: Callable[[str], None] = lambda _: None
    ) -> None:
        """`path` is the spool's file; the disk is the one that its folder lies on.

        `on_change` is told the reason when no more is taken, and nothing when more is taken again.
        """
        self._folder = Path(path).absolute().parent
        self._quota = quota
        self._free_bytes_min = free_bytes_min
        self._free: str | None = None
        self._asked_at = -inf
        self._failed = ""
        self._stuck = ""
        self._on_change = on_change
        self._now = 0.0
        self._told, self._told_at = False, -inf
        self._refused: dict[str, int] = {}
        self.reason = ""
        """Why appends are refused; empty if they are not."""

    def begin(self, now: float) -> None:
        """A new transaction, at `now` by a clock that does not jump: the free space may have to be asked for again."""
        self._now = now
        self.tell()
        if self._free or not now - self._asked_at < FREE_SECONDS:
            self._free, self._asked_at = None, now

    def admit(self, ledger: Ledger, new: dict[str, int]) -> None:
        """Lets so many bytes by connection in.

        Raises:
            SpoolFull: there is no room for them.
        """
        refusal = self._quota.refusal(ledger.used(), new)
        self._refused = new if refusal else self._refused
        refusal = refusal or self._free_refusal()
        if refusal:
            self.reason = refusal
            raise SpoolFull(refusal, RETRY_SECONDS)

    def committed(self, ledger: Ledger, *, grown: bool) -> None:
        """Takes note of a commit; the reason goes when what was refused would be let in, or something has been."""
        self.went_on()
        if grown:
            self._refused, self._failed = {}, ""
        if not self.reason:
            return
        quota = self._quota.refusal(ledger.used(), self._refused) if self._refused else ""
        if not quota:
            self._refused = {}
        self.reason = quota or self._failed or self._free_refusal()

    def went_on(self) -> None:
        """Takes note that the disk does what it is asked."""
        if self._stuck and self.reason == self._stuck:
            self.reason = self._failed
        self._stuck = ""

    def failed(self, error: sqlite3.Error) -> SpoolFull:
        """Takes note that the disk refused an append, until one succeeds; returns what its caller is told."""
        self._failed = f"the disk refuses: {error}"
        self.reason = self._failed
        return SpoolFull(self._failed, RETRY_SECONDS)

    def stuck(self, error: sqlite3.Error) -> SpoolFull:
        """Takes note that the disk refused what waits for it, until it goes on; returns the error to say so."""
        self._stuck = f"the disk refuses: {error}"
        self.reason = self.reason or self._stuck
        return SpoolFull(self._stuck, RETRY_SECONDS)

    def tell(self) -> None:
        """Says so if it has changed whether more is taken; for when whoever is told will see it."""
        if bool(self.reason) == self._told or (self.reason and self._now - self._told_at < TOLD_SECONDS):
            return
        self._told = bool(self.reason)
        self._told_at = self._now if self.reason else self._told_at
        self._on_change(self.reason)

    def _free_refusal(self) -> str:
        if self._free is None:
            try:
                disk = os.statvfs(self._folder)
            except OSError as error:
                self._free = f"the disk does not tell its free space: {error.strerror}"
            else:
                self._free = free_refusal(disk.f_bavail * disk.f_frsize, self._free_bytes_min)
        return self._free
