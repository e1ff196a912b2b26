"""Calls of operators: done by a worker here, or at the daemon that delivers the workspace from a shared spool."""

import asyncio

from intercomd_daemon.app.connections import Connections
from intercomd_daemon.errors import RetryLater
from intercomd_daemon.fleet.orders import Answer, OrderKind
from intercomd_daemon.outcome import Outcome
from intercomd_daemon.spool.base import Spool
from intercomd_daemon.spool.fleet import Fleet
from intercomd_daemon.spool.rows import OutcomeFilter
from intercomd_daemon.spool.trail import TrailFilter


class Operators:
    """The calls of operators about the connections of this daemon's settings."""

    def __init__(self, connections: Connections, spool: Spool) -> None:
        """Both are open."""
        self._connections = connections
        self._spool = spool

    async def pause(self, name: str, *, paused: bool) -> None:
        """Pauses or resumes a connection, also across restarts."""
        if self._spool.fleet is not None:
            await self._order(self._spool.fleet, name, OrderKind.PAUSE if paused else OrderKind.RESUME)
            return
        await self._spool.set_paused(name, paused=paused)
        self._connections.performer.pause(name, paused=paused)

    async def probe_now(self, name: str) -> None:
        """Probes a suspended or down connection now."""
        if self._spool.fleet is not None:
            await self._order(self._spool.fleet, name, OrderKind.RETRY)
        else:
            self._connections.performer.probe_now(name)

    async def give_up(self, name: str, envelope_id: str) -> Outcome | None:
        """Ends a waiting envelope as a dead letter; returns its outcome, or None if it does not wait.

        Raises:
            ConnectionNotFound: a reload has just removed the connection.
            RetryLater: the daemon that delivers it cannot end it now.
        """
        if self._spool.fleet is None:
            return await self._connections.performer.give_up(name, envelope_id)
        keys = await self._spool.find_waiting(TrailFilter(connection=name, envelope_id=envelope_id), 0, 1)
        if not keys:
            return None
        answer = await self._order(self._spool.fleet, name, OrderKind.GIVE_UP, keys[0], envelope_id)
        if answer.error:
            raise RetryLater(answer.error, 1.0)
        wanted = OutcomeFilter(connection=name, envelope_id=envelope_id)
        found, _ = await self._spool.outcomes_after(wanted, answer.result - 1, 1) if answer.result else ([], 0)
        return found[0] if found else None

    async def _order(self, fleet: Fleet, name: str, kind: OrderKind, key: int = 0, envelope_id: str = "") -> Answer:
        connections, workspace = self._connections, self._connections.workspace_of(name)
        # Of an inactive connection, perhaps no daemon acquires the workspace.
        stand_in = None if connections.delivers(name) else connections.performer.stand_in(workspace)
        standing_in = asyncio.create_task(stand_in) if stand_in else None
        try:
            return await fleet.order(workspace, name, kind, key, envelope_id)
        finally:
            if standing_in is not None:
                standing_in.cancel()
                await asyncio.gather(standing_in, return_exceptions=True)
