"""Searches waiting rows for the trail."""

from intercomd_daemon.spool.sqlite import trail
from intercomd_daemon.spool.sqlite.chunk import Perform, collect
from intercomd_daemon.spool.trail import TrailFilter


async def find_waiting(perform: Perform, wanted: TrailFilter, before: int, limit: int) -> list[int]:
    """Returns the keys of waiting rows, newest first, of positions below `before` (0: from the newest)."""
    if wanted.connection and wanted.envelope_id and limit == 1 and not before:
        # The duplicate window knows the row of an id of the last day or two.
        key: int = await perform(lambda each: trail.known_key(each, wanted.connection, wanted.envelope_id))
        if key:
            return [key]
    return await collect(perform, trail.search, wanted, before, limit)
