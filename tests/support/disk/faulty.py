"""A disk that records its operations in order and fails the calls that a test chooses.

`power_cut.py` derives from the record the states that a power cut may leave; `sqlite_vfs.py` puts it below SQLite.
"""

import sqlite3
from collections import Counter
from enum import Enum, auto
from pathlib import Path
from typing import NamedTuple


class Kind(Enum):
    """The operations of a disk."""

    OPEN = auto()
    CREATE = auto()
    READ = auto()
    WRITE = auto()
    TRUNCATE = auto()
    SYNC = auto()
    DELETE = auto()
    SYNC_FOLDER = auto()
    MARK = auto()
    """Not an operation: a commit was confirmed."""


class Operation(NamedTuple):
    """One operation."""

    kind: Kind
    name: str = ""
    """Of the file, in the folder."""
    offset: int = 0
    """Of a truncation the size."""
    content: bytes = b""
    failed: bool = False
    """A sync that failed: what was written before it is never durable, as the system may drop it."""


class Fault(NamedTuple):
    """Which calls fail: `times` of a kind, on files with this ending, after the first `after`."""

    kind: Kind
    full: bool = False
    """The disk is full, instead of an I/O error."""
    after: int = 0
    times: int = 1 << 30
    ending: str = ""


CODES = {
    Kind.OPEN: sqlite3.SQLITE_CANTOPEN,
    Kind.READ: sqlite3.SQLITE_IOERR_READ,
    Kind.WRITE: sqlite3.SQLITE_IOERR_WRITE,
    Kind.TRUNCATE: sqlite3.SQLITE_IOERR_TRUNCATE,
    Kind.SYNC: sqlite3.SQLITE_IOERR_FSYNC,
    Kind.DELETE: sqlite3.SQLITE_IOERR_DELETE,
}


class Disk:
    """The disk of a folder."""

    def __init__(self, folder: Path) -> None:
        """The files in `folder` are durable; files elsewhere are not on this disk."""
        self._folder = folder
        self._fault: Fault | None = None
        self._met = 0
        self.operations: list[Operation] = []
        self.failed = 0
        """Calls that have failed since `fail`."""
        self.failed_at = 0
        """The place of the first of them among the operations."""
        self.calls: Counter[Kind] = Counter()
        """Those that could have failed since `fail`, by kind."""
        self._there: set[str] = set()
        for file in sorted(file for file in folder.iterdir() if file.is_file()):
            self.opened(file.name)
            self.note(Kind.WRITE, file.name, 0, file.read_bytes())
            self.note(Kind.SYNC, file.name)
        self.note(Kind.SYNC_FOLDER)
        self.begin = len(self.operations)
        """The index of the first operation after that."""

    def name_of(self, path: str) -> str:
        """Returns the name of a file on this disk; empty for other files."""
        return Path(path).name if Path(path).parent == self._folder else ""

    def note(self, kind: Kind, name: str = "", offset: int = 0, content: bytes = b"", *, failed: bool = False) -> None:
        """Records an operation."""
        self.operations.append(Operation(kind, name, offset, content, failed))

    def opened(self, name: str) -> None:
        """Records that a file was opened, and created if it did not exist."""
        if name not in self._there:
            self._there.add(name)
            self.note(Kind.CREATE, name)

    def deleted(self, name: str) -> None:
        """Records that a file was deleted."""
        if name in self._there:
            self._there.remove(name)
            self.note(Kind.DELETE, name)

    def mark(self) -> None:
        """Records that a commit was confirmed."""
        self.note(Kind.MARK)

    def fail(self, fault: Fault | None) -> None:
        """Sets which calls fail from now on; None: none."""
        self._fault, self._met, self.failed, self.failed_at = fault, 0, 0, 0
        self.calls.clear()

    def refusal(self, kind: Kind, name: str) -> int:
        """Returns the error code of this call; SQLITE_OK if it does not fail."""
        self.calls[kind] += 1
        fault = self._fault
        if fault is None or fault.kind is not kind or not name.endswith(fault.ending):
            return sqlite3.SQLITE_OK
        self._met += 1
        if not fault.after < self._met <= fault.after + fault.times:
            return sqlite3.SQLITE_OK
        self.failed_at = self.failed_at or len(self.operations)
        self.failed += 1
        return sqlite3.SQLITE_FULL if fault.full else CODES[kind]
