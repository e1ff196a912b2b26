"""Operators' orders: rows that any daemon writes, and that the daemon which delivers the workspace answers.

A notification of the control session wakes both sides; a slow poll replaces one that was lost.
"""

import asyncio
from collections.abc import Collection
from contextlib import suppress
from datetime import timedelta

from intercomd_daemon.errors import RetryLater
from intercomd_daemon.fleet.lease import Fence, LeaseRow, Observation, observe
from intercomd_daemon.fleet.orders import Answer, Order, OrderKind, is_obsolete
from intercomd_daemon.spool.postgresql.leases import Leases
from intercomd_daemon.spool.postgresql.session import DatabaseAway, ReadingSession

ORDERS_MAX = 1_000
"""Orders without an answer."""
ORDER_SECONDS = 60.0
"""Longer than a call to Intercom, after whose result an envelope is given up."""
ORDERS_KEPT = timedelta(hours=1)
"""An order is deleted after this time, answered or not."""
_PENDING = """
SELECT o.number, c.name, o.kind, o.key, o.envelope_id, o.sequence FROM orders o
JOIN connections c ON c.number = o.connection
WHERE o.workspace = $1 AND NOT o.answered AND o.number <> ALL ($2::bigint[]) ORDER BY o.number
"""
_LOOK = """
SELECT o.answered, o.result, o.error, timeline_1() AS current, coalesce(l.incarnation, '') AS incarnation,
    coalesce(l.epoch, 0) AS epoch, coalesce(l.renewal, 0) AS renewal, coalesce(l.timeline, timeline_1()) AS timeline
FROM orders o LEFT JOIN leases l ON l.workspace = o.workspace WHERE o.number = $1
"""


class Orders:
    """The orders of a database, as one daemon gives and receives them."""

    def __init__(self, session: ReadingSession, leases: Leases, poll_seconds: float) -> None:
        """`session` reads and writes; `leases` has the clock and the length of a lease."""
        self._session = session
        self._leases = leases
        self._poll_seconds = poll_seconds
        self._changed = asyncio.Event()
        self.order_seconds = ORDER_SECONDS

    def wake(self) -> None:
        """Takes a notification: an order was given or answered."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _pause(self, changed: asyncio.Event) -> None:
        """Waits until an order was given or answered since the event was taken, at most until the next poll."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._poll_seconds):
                await changed.wait()

    async def pending(self, workspace: str, known: Collection[int]) -> list[Order]:
        """Returns the orders of a workspace without an answer other than the known ones; waits a moment for some."""
        changed = self._changed
        with suppress(DatabaseAway):
            if rows := await self._session.fetch(_PENDING, workspace, list(known)):
                return [
                    Order(
                        row["number"],
                        row["name"],
                        OrderKind(row["kind"]),
                        row["key"],
                        row["envelope_id"].decode(),
                        row["sequence"],
                    )
                    for row in rows
                ]
        await self._pause(changed)
        return []

    async def order(self, workspace: str, connection: str, kind: OrderKind, key: int, envelope_id: str) -> Answer:
        """Gives an order and waits for its answer; see `spool.fleet.Fleet`."""
        values = (workspace, connection, kind.value, key, envelope_id.encode())
        number = await self._session.fetch_value(
            "SELECT order_1($1, connection_1($2), $3, $4, $5, $6, $7)", *values, ORDERS_MAX, ORDERS_KEPT
        )
        if not number:
            text = f"{ORDERS_MAX} calls of operators wait for the daemons that deliver, the limit: retry later"
            raise RetryLater(text, 5.0)
        try:
            async with asyncio.timeout(self.order_seconds):
                return await self._answer(number, kind)
        except TimeoutError:
            raise RetryLater(
                f"the daemon that delivers the workspace did not confirm it within {self.order_seconds:.0f} s;"
                " it will as soon as it can: `intercomd status` shows the daemons",
                5.0,
            ) from None

    async def _answer(self, number: int, kind: OrderKind) -> Answer:
        """Waits until an order is answered or needs no answer."""
        given_to: Fence | None = None
        seen: Observation | None = None
        begun = 0
        while True:
            changed = self._changed
            with suppress(DatabaseAway):
                rows = await self._session.fetch(_LOOK, number)
                if not rows:
                    raise RetryLater("the database lost the call in a fail-over: repeat it", 1.0)
                (row,) = rows
                if row["answered"]:
                    return Answer(row["result"], row["error"])
                if begun != self._session.connections_begun:
                    # The database behind a new session may have lost renewals, as for a claimant.
                    seen, begun = None, self._session.connections_begun
                lease = LeaseRow(Fence(row["incarnation"], row["epoch"]), row["renewal"], row["timeline"])
                now = self._leases.clock()
                seen = observe(seen, lease, row["current"], now)
                given_to = given_to or lease.fence
                if is_obsolete(kind, given_to, seen, now, self._leases.terms):
                    return Answer()
            await self._pause(changed)
