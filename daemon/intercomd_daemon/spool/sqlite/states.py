"""Small states of parts of the daemon by name, and among them the id of the spool."""

import sqlite3
from uuid import uuid4

from intercomd_daemon.spool.sqlite.checksum import row_checksum

_SPOOL_ID = "spool_id"


def save(database: sqlite3.Connection, name: str, data: bytes) -> None:
    """Stores a state."""
    database.execute("INSERT OR REPLACE INTO states VALUES (?, ?, ?)", (name, data, row_checksum(name, data)))


def load(database: sqlite3.Connection, name: str) -> bytes:
    """Returns a state; empty if there is none, or if it is damaged."""
    found = database.execute("SELECT data, seal FROM states WHERE name = ?", (name,)).fetchone()
    return found[0] if found and found[1] == row_checksum(name, found[0]) else b""


def spool_id(database: sqlite3.Connection) -> str:
    """Returns the id of the spool, which the first call makes; a damaged one is replaced."""
    if not (stored := load(database, _SPOOL_ID)):
        stored = str(uuid4()).encode()
        save(database, _SPOOL_ID, stored)
    return stored.decode()
