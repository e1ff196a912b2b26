"""Reads a database file page by page, whatever state the pages are in."""

import os
from pathlib import Path
from struct import Struct, unpack_from
from typing import Self

from intercomd_daemon.spool.sqlite.file.cells import PAGE_BYTES

# "Offset 32: page number of the first freelist trunk page." A trunk page holds the next trunk, a count, and leaves.
_FIRST_TRUNK = 32
_TRUNK = Struct(">II")


class Pages:
    """The pages of a file."""

    def __init__(self, path: str) -> None:
        """Opens the file.

        Raises:
            OSError: it cannot be opened.
        """
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.count = -(-Path(path).stat().st_size // PAGE_BYTES)
        """The number of the last page."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def read(self, number: int) -> bytes:
        """Returns a page, padded with zeros at the file's end; empty if it does not exist or cannot be read."""
        if not 0 < number <= self.count:
            return b""
        try:
            return os.pread(self._file, PAGE_BYTES, (number - 1) * PAGE_BYTES).ljust(PAGE_BYTES, b"\0")
        except OSError:  # A sector that the disk does not give back is lost; the others are not.
            return b""

    def free(self) -> set[int]:
        """Returns the free pages, which may still hold old content."""
        free: set[int] = set()
        first = self.read(1)
        trunk = unpack_from(">I", first, _FIRST_TRUNK)[0] if first else 0
        while 0 < trunk <= self.count and trunk not in free:
            free.add(trunk)
            page = self.read(trunk) or bytes(PAGE_BYTES)
            trunk, leaves = _TRUNK.unpack_from(page)
            if leaves > PAGE_BYTES // 4 - 2:
                break
            free.update(unpack_from(f">{leaves}I", page, _TRUNK.size))
        return free
