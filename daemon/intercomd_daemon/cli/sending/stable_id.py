"""Ids for lines that have none: the same file gives the same ids again, so that sending it twice does no harm.

An id is made of the line's own bytes and of how many equal lines came before it, whatever the file is called and
whatever stands around the line. Hence two equal lines are two envelopes, and a file sent again is all duplicates.
"""

import sqlite3
from hashlib import blake2b
from uuid import UUID

_CACHE_KIB = 16 * 1024
_VERSION_8 = 0x8 << 76
_VARIANT = 0b10 << 62
_VERSION_BITS = 0xF << 76
_VARIANT_BITS = 0b11 << 62


class StableIds:
    """Counts equal lines in a file of its own that the system removes, so that memory stays the same."""

    def __init__(self) -> None:
        self._seen = sqlite3.connect("", isolation_level=None)
        self._seen.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._seen.execute("PRAGMA journal_mode = OFF")
        self._seen.execute("PRAGMA synchronous = OFF")
        self._seen.execute("CREATE TABLE lines (digest BLOB PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID")

    def next(self, line: bytes) -> str:
        """The id of the next line of the file; to be asked once for each, in their order."""
        digest = blake2b(line, digest_size=16).digest()
        (count,) = self._seen.execute(
            "INSERT INTO lines VALUES (?, 1) ON CONFLICT DO UPDATE SET count = count + 1 RETURNING count", (digest,)
        ).fetchone()
        return id_of(digest, count)

    def close(self) -> None:
        """Lets the file go."""
        self._seen.close()


def id_of(digest: bytes, count: int) -> str:
    """A UUIDv8: "for … vendor-specific use cases" (RFC 9562, 5.8), here 122 bits of a hash."""
    hashed = int.from_bytes(blake2b(digest + count.to_bytes(8), digest_size=16).digest())
    return str(UUID(int=hashed & ~_VERSION_BITS & ~_VARIANT_BITS | _VERSION_8 | _VARIANT))
