"""Searches in steps: each reads a chunk of a table in an operation of its own, so that others commit in between."""

from collections.abc import Awaitable, Callable
from typing import Any, Generic, NamedTuple, TypeVar

from intercomd_daemon.spool.sqlite.transaction import Transaction

Entry = TypeVar("Entry")
Wanted = TypeVar("Wanted")
Perform = Callable[[Callable[[Transaction], Any]], Awaitable[Any]]
"""Performs one operation in the writer's thread."""


class Chunk(NamedTuple, Generic[Entry]):
    """What one step of a search found."""

    entries: list[Entry]
    next: int
    """Where the next step begins; 0: the search is complete."""


ReadChunk = Callable[[Transaction, Wanted, int, int], Chunk[Entry]]
"""Takes a filter, where to begin, and how many entries it may return."""


async def collect(
    perform: Perform, read: ReadChunk[Wanted, Entry], wanted: Wanted, start: int, limit: int
) -> list[Entry]:
    """Reads chunks from `start` on until `limit` entries are found or the search is complete."""
    found: list[Entry] = []
    while len(found) < limit:
        chunk = await _read(perform, read, wanted, start, limit - len(found))
        found += chunk.entries
        start = chunk.next
        if not start:
            break
    return found


async def _read(
    perform: Perform, read: ReadChunk[Wanted, Entry], wanted: Wanted, start: int, limit: int
) -> Chunk[Entry]:
    chunk: Chunk[Entry] = await perform(lambda transaction: read(transaction, wanted, start, limit))
    return chunk
