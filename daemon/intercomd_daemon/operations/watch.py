"""Watches: each reads the journal from where it stands, sleeps until something ends, and keeps nothing in between.

A slow reader so costs no memory: what the journal drops before it is read is counted, and the reader told.
"""

import asyncio
from typing import Any, NamedTuple

from grpc.aio import ServicerContext

from intercomd.v1 import operations_pb2
from intercomd_daemon.errors import RequestRefused, ShuttingDown, TooManyWatches
from intercomd_daemon.operations.daemon import Subscribe
from intercomd_daemon.operations.encode import outcome_message
from intercomd_daemon.outcome import Outcome
from intercomd_daemon.spool.base import Archive, OutcomeFilter

WATCHES_MAX = 64
"""Open at once: people and their tools, not senders."""
OUTCOMES_READ_MAX = 64
"""Outcomes that one watch holds at a time."""


class Step(NamedTuple):
    """Where a watch stands after a look into the journal."""

    cursor: int
    """Everything up to this sequence has been looked at, or is lost."""
    missed: int
    """Outcomes that had left the journal before this look."""
    more: bool
    """Whether the look was cut short, and the next is due at once."""


def first_cursor(after: int | None, newest: int) -> int:
    """Where a watch begins: at `after`, or with what comes after `newest`.

    Raises:
        RequestRefused: `after` cannot be a sequence of this journal.
    """
    if after is None:
        return newest
    if not 0 <= after <= newest:
        raise RequestRefused("after_sequence", f"{after} is no sequence of this journal: they go from 0 to {newest}")
    return after


def step(cursor: int, newest: int, found: list[Outcome], oldest: int, limit: int) -> Step:
    """What a look has come to.

    `newest` was the journal's newest sequence before the look; `found` is what matches above `cursor`, at most `limit`;
    `oldest` is the oldest sequence that the journal still held.
    """
    missed = max(0, oldest - 1 - cursor)
    last = found[-1].sequence if found else 0
    more = len(found) == limit
    return Step(last if more else max(cursor + missed, newest, last), missed, more)


class Watches:
    """The open watches of one daemon."""

    def __init__(self, subscribe: Subscribe) -> None:
        """`subscribe` subscribes a watch to the news that something has ended."""
        self._subscribe = subscribe
        self._wakes: set[asyncio.Event] = set()
        self._closing = False

    async def follow(
        self, archive: Archive, wanted: OutcomeFilter, after: int | None, context: ServicerContext[Any, Any]
    ) -> None:
        """Tells the reader what ends, until the reader goes or the daemon stops.

        Raises:
            RequestRefused: `after` is no sequence of this journal.
            TooManyWatches: no watch may be opened beside those that are.
            ShuttingDown: the daemon stops; everything that ended before has been told.
        """
        if len(self._wakes) >= WATCHES_MAX:
            raise TooManyWatches(f"{WATCHES_MAX} watches are open, and no more may be; close one")
        wake = asyncio.Event()
        self._wakes.add(wake)
        unsubscribe = self._subscribe(wake.set)
        try:
            cursor = first_cursor(after, await newest_sequence(archive))
            await context.send_initial_metadata(())
            while True:
                wake.clear()
                closing = self._closing
                taken = await look(archive, wanted, cursor, context)
                cursor = taken.cursor
                if taken.more:
                    continue
                if closing:
                    raise ShuttingDown("the daemon is stopping; watch again after the last sequence", 1.0)
                await wake.wait()
        finally:
            unsubscribe()
            self._wakes.discard(wake)

    def close(self) -> None:
        """Ends every watch, and each later one, once it has told what has ended so far."""
        self._closing = True
        for wake in self._wakes:
            wake.set()


async def newest_sequence(archive: Archive) -> int:
    """The sequence of the newest outcome; 0 if there is none."""
    newest = await archive.outcomes(OutcomeFilter(), 0, 1)
    return newest[0].sequence if newest else 0


async def look(archive: Archive, wanted: OutcomeFilter, cursor: int, context: ServicerContext[Any, Any]) -> Step:
    """Tells the reader what is in the journal above `cursor`, at the reader's pace."""
    # First the newest, then what matches: whatever is not newer than that has then been looked at, matching or not.
    newest = await newest_sequence(archive)
    found, oldest = await archive.outcomes_after(wanted, cursor, OUTCOMES_READ_MAX)
    taken = step(cursor, newest, found, oldest, OUTCOMES_READ_MAX)
    if taken.missed:
        await context.write(operations_pb2.WatchOutcomesResponse(missed_count=taken.missed))
    for outcome in found:
        await context.write(operations_pb2.WatchOutcomesResponse(outcome=outcome_message(outcome)))
    return taken
