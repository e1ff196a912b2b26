"""Searches waiting rows for the trail in several operations, so that other commits come in between."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from intercomd_daemon.spool.base import position_of
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
    top = before - 1 if before else 0
    while before != 1 and len(found) < limit:
        marked = await perform(partial(trail.search_marked, wanted=wanted, top=top, limit=limit - len(found)))
        found += marked.keys
        top = marked.next
        if not top:
            before = min(before or marked.first, marked.first)
            break
    else:
        return found
    for start in await perform(lambda each: trail.places(each, wanted, before)):
        keys: list[int] = []
        place: trail.Place | None = start
        while place is not None:
            read = partial(trail.search, wanted=wanted, place=place, limit=limit - len(keys))
            chunk = await perform(read)
            keys += chunk.keys
            place = chunk.rest
        found += keys
    # A row that was parked between the searches of two tables is found in both.
    return sorted(set(found), key=position_of, reverse=True)[:limit]
