"""Searches waiting rows for the trail in several operations, so that other commits come in between."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from intercomd_daemon.spool.sqlite import trail
from intercomd_daemon.spool.trail import TrailFilter

Perform = Callable[[Callable[..., Any]], Awaitable[Any]]
"""Performs one operation in the writer's thread."""


async def find_waiting(perform: Perform, wanted: TrailFilter, before: int, limit: int) -> list[int]:
    """Returns the keys of waiting rows, newest first, of positions below `before` (0: from the newest)."""
    found: list[int] = []
    if wanted.connection and wanted.envelope_id and limit == 1 and not before:
        # The duplicate window knows the row of an id of the last day or two.
        key = await perform(lambda each: trail.known_key(each, wanted.connection, wanted.envelope_id))
        if key:
            return [key]
    while len(found) < limit:
        chunk = await perform(partial(trail.search, wanted=wanted, before=before, limit=limit - len(found)))
        found += chunk.keys
        before = chunk.next
        if not before:
            break
    return found
