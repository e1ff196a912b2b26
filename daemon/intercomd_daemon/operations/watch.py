"""Watches of outcomes: each reads the journal from its cursor, then sleeps until new outcomes are committed.

A watch buffers nothing, so a slow reader costs no memory. Outcomes that the journal drops before the watch reads them
are counted, and the reader gets the number.
"""

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

from grpc.aio import ServicerContext

from intercomd.v1 import operations_pb2
from intercomd_daemon.errors import RequestRefused, ShuttingDown, TooManyWatches
from intercomd_daemon.operations.daemon_control import Subscribe
from intercomd_daemon.operations.responses import outcome_message
from intercomd_daemon.outcome import Outcome
from intercomd_daemon.rpc.authentication import Guard, Revocation
from intercomd_daemon.spool.base import Archive
from intercomd_daemon.spool.rows import OutcomeFilter

WATCHES_MAX = 64
"""Open at once: watches serve people and their tools, not senders."""
OUTCOMES_READ_MAX = 64
"""Outcomes that one watch reads at a time."""


class WatchStep(NamedTuple):
    """The state of a watch after a read of the journal."""

    cursor: int
    """Every outcome up to this sequence has been read or has left the journal."""
    missed: int
    """Outcomes that left the journal unread."""
    more: bool
    """Whether the read hit its limit, so that the next read is due at once."""


def first_cursor(after: int | None, newest: int) -> int:
    """Returns the cursor of a new watch: `after`, or `newest` to start with the next outcome.

    Raises:
        RequestRefused: `after` is not a sequence of this journal.
    """
    if after is None:
        return newest
    if not 0 <= after <= newest:
        raise RequestRefused(
            "after_sequence", f"after_sequence {after} is not a sequence of this journal: expected 0 to {newest}"
        )
    return after


def step(cursor: int, newest: int, found: list[Outcome], oldest: int, limit: int) -> WatchStep:
    """Computes the state after a read.

    `newest` is the journal's newest sequence before the read; `found` are the matching outcomes above `cursor`, at most
    `limit`; `oldest` is the oldest sequence still in the journal.
    """
    missed = max(0, oldest - 1 - cursor)
    last = found[-1].sequence if found else 0
    more = len(found) == limit
    return WatchStep(last if more else max(cursor + missed, newest, last), missed, more)


class Watches:
    """The open watches of one daemon."""

    def __init__(self, subscribe: Subscribe) -> None:
        """`subscribe` subscribes a watch to commits of outcomes."""
        self._subscribe = subscribe
        self._wakes: set[asyncio.Event] = set()
        self._closing = False

    async def follow(
        self,
        archive: Archive,
        limit: Callable[[], OutcomeFilter],
        after: int | None,
        context: ServicerContext[Any, Any],
        guard: Guard,
    ) -> None:
        """Sends outcomes until the reader disconnects or the daemon stops.

        `limit` returns what the reader may see; it is called before each read, since a reload may change that.

        Raises:
            RequestRefused: `after` is not a sequence of this journal.
            TooManyWatches: WATCHES_MAX watches are open.
            ShuttingDown: the daemon is stopping; all outcomes so far have been sent.
            Unauthenticated: the caller's credential was removed.
        """
        if len(self._wakes) >= WATCHES_MAX:
            raise TooManyWatches(f"{WATCHES_MAX} watches are open, limit {WATCHES_MAX}: close one")
        wake = asyncio.Event()
        revocation = Revocation(wake)
        self._wakes.add(wake)
        unsubscribe = self._subscribe(wake.set)
        try:
            cursor = first_cursor(after, await newest_sequence(archive))
            await context.send_initial_metadata(())
            with guard.revocable(revocation):
                await self._send_outcomes(archive, limit, cursor, context, wake, revocation)
        finally:
            unsubscribe()
            self._wakes.discard(wake)

    async def _send_outcomes(
        self,
        archive: Archive,
        limit: Callable[[], OutcomeFilter],
        cursor: int,
        context: ServicerContext[Any, Any],
        wake: asyncio.Event,
        revocation: Revocation,
    ) -> NoReturn:
        while True:
            wake.clear()
            revocation.check()
            closing = self._closing
            taken = await look(archive, limit(), cursor, context)
            cursor = taken.cursor
            if taken.more:
                continue
            if closing:
                raise ShuttingDown("the daemon is stopping: watch again from the last sequence", 1.0)
            await wake.wait()

    def close(self) -> None:
        """Ends every watch, and each later one, after sending the outcomes so far."""
        self._closing = True
        for wake in self._wakes:
            wake.set()


async def newest_sequence(archive: Archive) -> int:
    """Returns the sequence of the newest outcome; 0 if there is none."""
    newest = await archive.outcomes(OutcomeFilter(), 0, 1)
    return newest[0].sequence if newest else 0


async def look(archive: Archive, wanted: OutcomeFilter, cursor: int, context: ServicerContext[Any, Any]) -> WatchStep:
    """Sends the matching outcomes above `cursor`, at the reader's pace."""
    # The newest sequence is read first: then every outcome up to it has been checked by the second read, matching or
    # not, and the cursor may move there.
    newest = await newest_sequence(archive)
    found, oldest = await archive.outcomes_after(wanted, cursor, OUTCOMES_READ_MAX)
    taken = step(cursor, newest, found, oldest, OUTCOMES_READ_MAX)
    if taken.missed:
        await context.write(operations_pb2.WatchOutcomesResponse(missed_count=taken.missed))
    for outcome in found:
        await context.write(operations_pb2.WatchOutcomesResponse(outcome=outcome_message(outcome)))
    return taken
