"""A disk that records its operations in order and fails the calls that a test chooses.

`power_cut.py` derives from the record the states that a power cut may leave; `sqlite_vfs.py` puts it below SQLite.
"""

import sqlite3
from collections import Counter
from enum import Enum, auto
from pathlib import Path
from typing import NamedTuple


class Kind(Enum):
    """What a disk can be told, or asked."""

    OPEN = auto()
    CREATE = auto()
    READ = auto()
    WRITE = auto()
    TRUNCATE = auto()
    SYNC = auto()
    DELETE = auto()
    SYNC_FOLDER = auto()
    MARK = auto()
    """Not the disk's: a promise has been made."""


class Operation(NamedTuple):
    """One thing that the disk was told."""

    kind: Kind
    name: str = ""
    """Of the file, in the folder."""
    offset: int = 0
    """Of a truncation the size."""
    content: bytes = b""
    failed: bool = False
    """A sync that failed: what it was to make sure never is, as the system may take it for written."""


class Fault(NamedTuple):
    """Which calls fail: of a kind on files with this ending, after so many, so many times."""

    kind: Kind
    full: bool = False
    """The disk has no room, rather than an error."""
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
    """The disk that a folder lies on."""

    def __init__(self, folder: Path) -> None:
        """What lies in `folder` already is safe on it; files elsewhere are nothing to it."""
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
        """Of what it has been told since, the place."""

    def name_of(self, path: str) -> str:
        """The file's name if it lies on this disk, else nothing."""
        return Path(path).name if Path(path).parent == self._folder else ""

    def note(self, kind: Kind, name: str = "", offset: int = 0, content: bytes = b"", *, failed: bool = False) -> None:
        """Keeps what the disk was told."""
        self.operations.append(Operation(kind, name, offset, content, failed))

    def opened(self, name: str) -> None:
        """A file has been opened, and made if it was not there."""
        if name not in self._there:
            self._there.add(name)
            self.note(Kind.CREATE, name)

    def deleted(self, name: str) -> None:
        """A file has been deleted."""
        if name in self._there:
            self._there.remove(name)
            self.note(Kind.DELETE, name)

    def mark(self) -> None:
        """Something has been promised."""
        self.note(Kind.MARK)

    def fail(self, fault: Fault | None) -> None:
        """From now on these calls fail, or none."""
        self._fault, self._met, self.failed, self.failed_at = fault, 0, 0, 0
        self.calls.clear()

    def refusal(self, kind: Kind, name: str) -> int:
        """With what this call is to fail; SQLITE_OK if it is not."""
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
